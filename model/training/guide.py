"""A head for training alone: it finds each character in the picture by its neighbors in the text.

CTC names the columns one by one, each for itself. This head looks for each character of the text
with what stands left of it, then with what stands right of it, and has to name it from the columns
that this finds. So a column must tell what text it stands in, not only what it shows. The
neighbors are those of the true text, which nobody knows when reading: no checkpoint has the head.

The semantic guidance module of Du et al., "SVTRv2: CTC Beats Encoder-Decoder Models in Scene Text
Recognition" (2024), with a perceptron instead of attention to read the neighbors. The idea is
older: Hu et al., "GTC: Guided Training of CTC" (2020) guide CTC by a decoder that spells a text
from left to right. Here all characters are found at once, which costs no loop over the text.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from model.network.crnn import CRNN

REACH = 5
"""How many characters to either side the head knows: as many as in SVTRv2."""

SIZE = 128
"""Numbers that stand for a character, a query or a column."""


class Guide(nn.Module):
    """Features `(N, T, F)` and their texts to the cross-entropy of finding the characters."""

    def __init__(self, features: int, num_classes: int) -> None:
        """Start with fresh weights.

        Args:
            features: F, what a column has.
            num_classes: The blank and the tokens; the blank stands for what lies beyond a text.
        """
        super().__init__()
        self.embedding = nn.Embedding(num_classes, SIZE)
        self.left, self.right = _reader(), _reader()
        self.keys = nn.Linear(features, SIZE)
        self.values = nn.Linear(features, SIZE)
        self.names = nn.Linear(SIZE, num_classes)

    @classmethod
    def of(cls, model: CRNN) -> Guide:
        """A head on what the last layer of `model` is given: its last BiLSTM's output."""
        return cls(2 * model.config.hidden, model.config.num_classes)

    def forward(
        self, features: torch.Tensor, targets: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """The loss, in nats a text: of all its characters, the mean of their two sides.

        Args:
            features: What the columns of the pictures have, `(N, T, F)`.
            targets: Class ids, one text after the other, `(sum of lengths,) int64`.
            lengths: Tokens of each text, `(N,) int64`.

        Returns:
            A scalar, float32.
        """
        each = list(torch.split(targets, lengths.tolist()))
        texts = pad_sequence(each, batch_first=True)  # (N, L), behind a text the blank, 0
        windows = nn.functional.pad(texts, (REACH, REACH)).unfold(1, 2 * REACH + 1, 1)
        around = self.embedding(windows)  # (N, L, REACH + 1 + REACH, SIZE)
        left, right = around[:, :, :REACH].flatten(2), around[:, :, REACH + 1 :].flatten(2)
        queries = torch.cat([self.left(left), self.right(right)], dim=1)  # (N, 2 L, SIZE)
        found = nn.functional.scaled_dot_product_attention(
            queries, self.keys(features), self.values(features)
        )
        logits = self.names(found).float()  # (N, 2 L, C)
        loss = nn.functional.cross_entropy(
            logits.flatten(0, 1), texts.repeat(1, 2).flatten(), ignore_index=0, reduction="sum"
        )
        return loss / (2 * len(lengths))


def _reader() -> nn.Sequential:
    """The neighbors on one side `(N, L, REACH SIZE)` to queries `(N, L, SIZE)`."""
    return nn.Sequential(nn.Linear(REACH * SIZE, SIZE), nn.ReLU(), nn.Linear(SIZE, SIZE))
