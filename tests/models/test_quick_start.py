"""torchvision is imported without torch's compiler, and works with it all the same."""

import subprocess
import sys


def ran(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_the_compiler_stays_out() -> None:
    code = (
        "import sys; from fer_core.quick_start import import_torchvision; import_torchvision();"
        "import fer_core.video.pipeline, torchvision.ops;"
        "print('torch._dynamo' in sys.modules, 'torch._dynamo.utils' in sys.modules)"
    )
    assert ran(code) == "False False"


def test_the_compiler_comes_when_it_is_asked_for() -> None:
    code = (
        "from fer_core.quick_start import import_torchvision; import_torchvision();"
        "import sys, torch, torchvision; r = sys.modules['torchvision.ops.roi_align'];"
        "print(r.is_compile_supported('cpu') in (True, False), torch.compile(lambda x: x + 1, backend='eager')"
        "(torch.zeros(1)).item(), "
        "r.roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0., 0, 0, 4, 4]]), 2).sum().item())"
    )
    assert ran(code) == "True 1.0 4.0"


def test_what_is_loaded_already_stays() -> None:
    code = (
        "import torch._dynamo as before; from fer_core.quick_start import import_torchvision; import_torchvision();"
        "import sys, torchvision; print(sys.modules['torch._dynamo'] is before)"
    )
    assert ran(code) == "True"
