"""U-Net, the Siamese model and the loss in PyTorch, with the module names of the published weights."""
import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    """[convolution 3x3 without bias, batch norm, ReLU] twice; its parts are named NAMEconv1, NAMEnorm1, …"""

    def __init__(self, name, inputs, outputs):
        super().__init__()
        self.name = name
        for place, channels in ((1, inputs), (2, outputs)):
            setattr(self, f"{name}conv{place}", nn.Conv2d(channels, outputs, 3, padding=1, bias=False))
            setattr(self, f"{name}norm{place}", nn.BatchNorm2d(outputs))

    def forward(self, x):
        for place in (1, 2):
            x = getattr(self, f"{self.name}conv{place}")(x)
            x = F.relu(getattr(self, f"{self.name}norm{place}")(x), inplace=True)
        return x


class UNet(nn.Module):
    """The parts of a U-Net as direct children, so that a model that derives from it has the published flat names."""

    def __init__(self, inputs, width, depth, encoder="encoder", bottleneck="bottleneck"):
        super().__init__()
        self.depth, self.encoder, self.bottleneck = depth, encoder, bottleneck
        channels = width
        for k in range(1, depth + 1):
            setattr(self, f"{encoder}{k}", Block(f"enc{k}", inputs, channels))
            setattr(self, f"upconv{k}", nn.ConvTranspose2d(2 * channels, channels, 2, stride=2))
            setattr(self, f"decoder{k}", Block(f"dec{k}", 2 * channels, channels))
            inputs, channels = channels, 2 * channels
        setattr(self, bottleneck, Block("bottleneck", inputs, channels))

    def features(self, x):
        skips = []
        for k in range(1, self.depth + 1):
            x = getattr(self, f"{self.encoder}{k}")(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = getattr(self, self.bottleneck)(x)
        for k in range(self.depth, 0, -1):
            x = torch.cat((getattr(self, f"upconv{k}")(x), skips[k - 1]), dim=1)
            x = getattr(self, f"decoder{k}")(x)
        return x


class PlainUNet(UNet):
    """Segments one frame into background and feature."""

    def __init__(self, inputs=3, width=32, depth=4):
        super().__init__(inputs, width, depth)
        self.conv = nn.Conv2d(width, 2, 1)

    def forward(self, x):
        return [self.conv(self.features(x))]


class Siamese(UNet):
    """Compares two frames: one U-Net run on each, maps concatenated, one head a task."""

    def __init__(self, inputs=3, width=32, depth=4, tasks=2):
        super().__init__(inputs, width, depth, encoder="encoder1_", bottleneck="bottleneck_1")
        self.tasks = tasks
        self.conv = nn.Conv2d(width, 1, 1)  # as in the published files: there, and used by nothing
        for j in range(1, tasks + 1):
            layers, channels = [], 2 * width
            for outputs in (2 * width, width, max(1, width // 2), 3):
                layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
                           nn.ReLU(inplace=True)]
                channels = outputs
            setattr(self, f"conv_layer{j}", nn.Sequential(*layers, nn.Conv2d(3, 4, 1)))

    def forward(self, query, partner):
        # Two calls, so that training takes batch statistics over each frame's batch on its own.
        fused = torch.cat((self.features(query), self.features(partner)), dim=1)
        return [getattr(self, f"conv_layer{j}")(fused) for j in range(1, self.tasks + 1)]


def focal_loss(logits, labels, class_weights, gamma=2.0, ignore=255):
    """Mean over the pixels that count of -a_y (1 - p_y)^gamma log p_y."""
    counts = labels != ignore
    labels = torch.where(counts, labels, torch.zeros_like(labels)).long()
    log_p = F.log_softmax(logits, dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
    loss = -class_weights[labels] * (1 - log_p.exp()) ** gamma * log_p
    return (loss * counts).sum() / counts.sum()
