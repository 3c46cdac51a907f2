"""Layers of two builds side by side: one common form, readers of profilers' files, alignment, difference.

Pure: it knows files' contents and no runner, so the site may import it.
"""

from benchmarks.layers.alignment import Group as Group
from benchmarks.layers.alignment import layers_align as layers_align
from benchmarks.layers.difference import Change as Change
from benchmarks.layers.difference import Difference as Difference
from benchmarks.layers.difference import layers_difference as layers_difference
from benchmarks.layers.layer import Layer as Layer
from benchmarks.layers.layer import Layers as Layers
from benchmarks.layers.reading import UnknownFormatError as UnknownFormatError
from benchmarks.layers.reading import layers_parse as layers_parse
from benchmarks.layers.reading import layers_read as layers_read
