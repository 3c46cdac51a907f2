"""What the demo's repository goes through: real edits of real models, some of which really matter.

Nothing here is read by the service: it learns of a commit from the webhook and git, as in production.
`expect` is only compared with what the service found, at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Expectation = Literal["regressed", "improved", "skipped", "environment", "quiet"]

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
    """One commit.  `model` is the one an expectation is about.

    `joins` puts it into one push with the commit behind it, so that it is not measured by itself.
    `machine` are variables that the worker gets before the push: the same code on another machine.
    """

    subject: str
    author: str
    edits: tuple[Edit, ...] = ()
    expect: Expectation = "quiet"
    model: str = ""
    joins: bool = False
    machine: tuple[tuple[str, str], ...] = ()


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
                "        self.words.weight.data.mul_(0.02)\n        self.places = nn.Parameter",
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

# with `--long`: a search and another machine
MORE: tuple[Step, ...] = (
    # one push of three: which of them was it?
    Step(
        "Name the seed",
        "Ada",
        (
            Edit(CNN, "REFINEMENTS = 5\n", "REFINEMENTS = 5\nSEED = 7\n"),
            Edit(CNN, "torch.manual_seed(7)", "torch.manual_seed(SEED)"),
        ),
        joins=True,
    ),
    Step(
        "Look twice at small details",
        "Ben",
        (
            Edit(
                CNN,
                "        self.refine = nn.Sequential(*[Block(WIDTHS[-1]) for _ in range(REFINEMENTS)])\n",
                "        blocks = [Block(WIDTHS[-1]) for _ in range(REFINEMENTS + 2)]\n"
                "        self.refine = nn.Sequential(*blocks)\n",
            ),
        ),
        expect="regressed",
        model="cnn",
        joins=True,
    ),
    Step(
        "Explain the convolution",
        "Cleo",
        (
            Edit(
                CNN,
                "def convolution(inside, outside, stride=1):\n",
                'def convolution(inside, outside, stride=1):\n    """Without bias: the norm has one."""\n',
            ),
        ),
    ),
    Step(
        "Name the token's length in the example",
        "Ada",
        (Edit(TRANSFORMER, "(1, LENGTH))", "(1, LENGTH), dtype=torch.long)"),),
    ),
    # torch and the canary without their wide vector instructions: what another machine may bring
    Step(
        "Explain the attention",
        "Cleo",
        (
            Edit(
                TRANSFORMER,
                "class Attention(nn.Module):\n",
                'class Attention(nn.Module):\n    """Every token looks at every other."""\n\n',
            ),
        ),
        expect="environment",
        model="transformer",
        machine=(
            ("MKL_CBWR", "COMPATIBLE"),
            ("NPY_DISABLE_CPU_FEATURES", "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"),
        ),
    ),
    Step(
        "Explain the network",
        "Ben",
        (Edit(CNN, "class Net(nn.Module):\n", 'class Net(nn.Module):\n    """Stem, stages, head."""\n\n'),),
    ),
)


def pushes(steps: Sequence[Step]) -> list[list[int]]:
    """The places of the steps of each push, in order."""
    found: list[list[int]] = [[]]
    for place, step in enumerate(steps):
        found[-1].append(place)
        if not step.joins:
            found.append([])
    return [push for push in found if push]
