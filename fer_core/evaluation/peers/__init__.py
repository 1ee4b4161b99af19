"""Other people's tools that a checkpoint can be compared with; see ``base``. Only who compares imports this."""

from fer_core.evaluation.peers import fer_package
from fer_core.evaluation.peers.base import PEERS, PeerKind, answers_of, compared_with, load_peer, peer_kind, register

__all__ = ["PEERS", "PeerKind", "answers_of", "compared_with", "fer_package", "load_peer", "peer_kind", "register"]
