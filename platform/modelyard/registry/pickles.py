"""How a pickle begins. Nothing here runs one, or reads more of it than the names of its instructions."""

from __future__ import annotations

import pickletools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = 1 << 16
"""Bytes in which instructions are looked for."""

_MARK = 0x80  # how a pickle of protocol 2 and up begins, followed by its protocol
_PROTOCOLS = range(2, 6)
_IMPORTS = frozenset({"GLOBAL", "STACK_GLOBAL", "INST", "REDUCE", "OBJ", "NEWOBJ", "NEWOBJ_EX", "BUILD", "EXT1"})
_INSTRUCTIONS = {opcode.code: opcode for opcode in pickletools.opcodes}
_TWO_LINES = ("GLOBAL", "INST")
_COUNTED = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""For arguments that say their own length: in how many bytes."""


def is_pickle(head: bytes) -> bool:
    """Whether bytes begin a pickle: by the mark of protocol 2 and up, or as a program that imports something.

    Args:
        head: A file's first `HEAD` bytes, or all of it.
    """
    if len(head) > 1 and head[0] == _MARK and head[1] in _PROTOCOLS:
        return True
    try:
        names = list(_instructions(head))
    except ValueError:
        return False
    whole = names[-1:] == ["STOP"] or len(head) >= HEAD  # a program may be longer than what was read
    return whole and not _IMPORTS.isdisjoint(names)


def _instructions(program: bytes) -> Iterator[str]:
    """The names of a pickle's instructions, up to its end or to that of the bytes.

    Raises:
        ValueError: It is no pickle.
    """
    position = 0
    while position < len(program):
        instruction = _INSTRUCTIONS.get(chr(program[position]))
        if instruction is None:
            msg = f"byte {position} is no instruction"
            raise ValueError(msg)
        yield instruction.name
        if instruction.name == "STOP":
            return
        position = _after(program, position + 1, instruction)


def _after(program: bytes, position: int, instruction: pickletools.OpcodeInfo) -> int:
    """Where an instruction's argument ends."""
    if instruction.arg is None:
        return position
    if instruction.arg.n == pickletools.UP_TO_NEWLINE:
        for _ in range(2 if instruction.name in _TWO_LINES else 1):
            end = program.find(b"\n", position)
            position = len(program) if end < 0 else end + 1
        return position
    width = _COUNTED.get(instruction.arg.n)
    if width is None:
        return position + instruction.arg.n
    return position + width + int.from_bytes(program[position : position + width], "little")
