"""All architectures: importing this fills the registry."""

from fer_core.models import attention, cnn, compact, ensemble, mobilenet, timm_nets, torchvision_nets, vgg, vit

__all__ = ["attention", "cnn", "compact", "ensemble", "mobilenet", "timm_nets", "torchvision_nets", "vgg", "vit"]
