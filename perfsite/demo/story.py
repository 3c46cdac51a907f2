"""What the demo's repository goes through: real edits of real models, some of which really matter.

Nothing here is read by the service: it learns of a commit from the webhook and git, as in production.
`expect` is only compared with what the service found, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Expectation = Literal["regressed", "improved", "skipped", "quiet"]

CNN = "models/cnn.py"
TRANSFORMER = "models/transformer.py"
README = "README.md"


@dataclass(frozen=True)
class Edit:
    """Replace `old`, which stands exactly once in `path`, by `new`; an empty `old` appends."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Step:
    """One commit.  `model` is the one an expectation is about."""

    subject: str
    author: str
    edits: tuple[Edit, ...] = ()
    expect: Expectation = "quiet"
    model: str = ""


STEPS: tuple[Step, ...] = (
    Step("Add two pocket models", "Ada"),
    Step(
        "Name the number of picture kinds",
        "Ben",
        (
            Edit(CNN, "REFINEMENTS = 4\n", "REFINEMENTS = 4\nKINDS = 10\n"),
            Edit(CNN, "nn.Linear(WIDTHS[-1], 10)", "nn.Linear(WIDTHS[-1], KINDS)"),
        ),
    ),
    Step(
        "Name the number of moods",
        "Cleo",
        (
            Edit(TRANSFORMER, "LENGTH = 96\n", "LENGTH = 96\nMOODS = 3\n"),
            Edit(TRANSFORMER, "nn.Linear(WIDTH, 3)", "nn.Linear(WIDTH, MOODS)"),
        ),
    ),
    Step(
        "Draw example tokens from the whole vocabulary",
        "Ben",
        (Edit(TRANSFORMER, "torch.randint(0, 8192,", "torch.randint(0, VOCABULARY,"),),
    ),
    Step(
        "Explain the residual block",
        "Ada",
        (
            Edit(
                CNN,
                "class Block(nn.Module):\n",
                'class Block(nn.Module):\n    """Two convolutions and the way around them."""\n\n',
            ),
        ),
    ),
    Step(
        "Say in the README how to run the models",
        "Cleo",
        (Edit(README, "", "\nRun one with `python -c 'from models.cnn import build; build()'`.\n"),),
        expect="skipped",
    ),
    Step(
        "Use the functional form of relu in one place",
        "Ben",
        (
            Edit(
                CNN,
                "x = torch.relu(self.stem(x))",
                "x = nn.functional.relu(self.stem(x))",
            ),
        ),
    ),
    Step(
        "Seed both models alike",
        "Ada",
        (
            Edit(CNN, "torch.manual_seed(1)", "torch.manual_seed(7)"),
            Edit(TRANSFORMER, "torch.manual_seed(2)", "torch.manual_seed(7)"),
        ),
    ),
    Step(
        "Refine pictures once more for accuracy",
        "Ben",
        (Edit(CNN, "REFINEMENTS = 4\n", "REFINEMENTS = 5\n"),),
        expect="regressed",
        model="cnn",
    ),
    Step(
        "Explain the encoder's layer",
        "Cleo",
        (
            Edit(
                TRANSFORMER,
                "class Layer(nn.Module):\n",
                'class Layer(nn.Module):\n    """Attention, then a small network."""\n\n',
            ),
        ),
    ),
    Step(
        "Give the stem a name of its own",
        "Ada",
        (
            Edit(CNN, "        self.stem = convolution(", "        self.entrance = convolution("),
            Edit(CNN, "self.stem(x)", "self.entrance(x)"),
        ),
    ),
    Step(
        "Know four times as many words",
        "Cleo",
        (Edit(TRANSFORMER, "VOCABULARY = 8192\n", "VOCABULARY = 32768\n"),),
        expect="regressed",
        model="transformer",
    ),
    Step(
        "Keep the word table's spread small",
        "Cleo",
        (
            Edit(
                TRANSFORMER,
                "        self.places = nn.Parameter",
                "        nn.init.normal_(self.words.weight, std=0.02)\n        self.places = nn.Parameter",
            ),
        ),
    ),
    Step(
        "Average over places with keepdim off, said aloud",
        "Ben",
        (Edit(TRANSFORMER, ".mean(dim=1))", ".mean(dim=1, keepdim=False))"),),
    ),
    Step(
        "Drop an encoder layer that did not help",
        "Ada",
        (Edit(TRANSFORMER, "LAYERS = 4\n", "LAYERS = 3\n"),),
        expect="improved",
        model="transformer",
    ),
    Step(
        "Explain both entry points",
        "Ben",
        (
            Edit(CNN, "def build():\n", 'def build():\n    """The network and one picture."""\n'),
            Edit(TRANSFORMER, "def build():\n", 'def build():\n    """The encoder and one text."""\n'),
        ),
    ),
)
