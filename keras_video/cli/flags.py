"""Command-line flags, arranged in groups for `--help`."""

import textwrap
from types import SimpleNamespace

from absl import flags


class Flags:
    """The flags of one command.

    Each command has its own set, so a flag may have different defaults in different commands; its
    meaning is the same everywhere.
    """

    def __init__(self):
        self._values = flags.FlagValues()
        self._groups = {}
        self._group = "Options"

    def group(self, title):
        """Starts a group: `--help` lists the flags defined from here on under this title."""
        self._group = title

    def string(self, name, default, text, required=False):
        """A string, or `None`."""
        flags.DEFINE_string(name, default, text, flag_values=self._values)
        self._note(name, required)

    def integer(self, name, default, text, least=None, most=None, required=False):
        """An integer, or `None`."""
        flags.DEFINE_integer(name, default, text, least, most, flag_values=self._values)
        self._note(name, required)

    def number(self, name, default, text, least=None, most=None):
        """A number, or `None`."""
        flags.DEFINE_float(name, default, text, least, most, flag_values=self._values)
        self._note(name)

    def switch(self, name, default, text):
        """`--name` or `--noname`."""
        flags.DEFINE_bool(name, default, text, flag_values=self._values)
        self._note(name)

    def choice(self, name, default, values, text, several=False, required=False):
        """One of `values`; with `several`, the flag may be repeated and its value is a list."""
        define = flags.DEFINE_multi_enum if several else flags.DEFINE_enum
        define(name, default, list(values), text, flag_values=self._values)
        self._note(name, required)

    def words(self, name, default, text):
        """A comma-separated list."""
        flags.DEFINE_list(name, default, text, flag_values=self._values)
        self._note(name)

    def integers(self, name, text, count=None, separator=","):
        """A tuple of integers such as "8,224,224,3", or `None`."""
        parser = _Integers(count, separator)
        flags.DEFINE(parser, name, None, text, self._values)
        self._note(name)

    def _note(self, name, required=False):
        self._groups.setdefault(self._group, []).append(name)
        if required:
            flags.mark_flag_as_required(name, flag_values=self._values)

    def parse(self, command, arguments):
        """Parses `arguments`.

        Returns:
            `(options, rest)`: an object with the value of every flag as an attribute, and the
            positional arguments.

        Raises:
            absl.flags.Error: for an unknown flag, an invalid value or a missing required flag.
        """
        rest = self._values([command, *arguments])[1:]
        names = self.names()
        options = SimpleNamespace(**{name: getattr(self._values, name) for name in names})
        options.given = frozenset(name for name in names if self._values[name].present)
        return options, rest

    def kind(self, name):
        """The type of a flag's value, such as "string"."""
        return self._values[name].flag_type()

    def names(self):
        """All flag names, in the order of definition."""
        return [name for names in self._groups.values() for name in names]

    def defaults(self):
        """The default value of every flag."""
        return {name: self._values[name].default for name in self.names()}

    def help(self):
        """The help text, with every flag under its group."""
        lines = []
        for title, names in self._groups.items():
            lines += ["", f"{title}:"]
            for name in names:
                lines += _flag_lines(self._values[name])
        return "\n".join(lines)


class _Integers(flags.ArgumentParser):
    """Parses `8,224,224,3` into a tuple."""

    syntactic_help = "integers"

    def __init__(self, count, separator):
        super().__init__()
        self.count, self.separator = count, separator

    def parse(self, argument):
        if isinstance(argument, tuple):
            return argument
        parts = argument.split(self.separator)
        if not all(part.strip().isdigit() for part in parts) or self.count not in (
            None,
            len(parts),
        ):
            example = {"x": "10x3"}.get(self.separator, "8,224,224,3")
            raise ValueError(f"expected integers such as {example}")
        return tuple(int(part) for part in parts)

    def flag_type(self):
        return "integers"


def _flag_lines(flag):
    left = f"  --[no]{flag.name}" if flag.boolean else f"  --{flag.name}"
    text = flag.help
    values = getattr(flag.parser, "enum_values", None)
    if values:  # absl puts them before the text
        text = f"{text.partition('>: ')[2] or text} ({', '.join(values)})"
    if flag.default not in (None, False, []):
        default = flag.default if flag.boolean else flag.default_as_str.strip("'")
        text += f"; default {default}"
    wrapped = textwrap.wrap(text, 74) or [""]
    if len(left) > 25:
        return [left, *(f"{'':26}{line}" for line in wrapped)]
    return [f"{left:26}{wrapped[0]}", *(f"{'':26}{line}" for line in wrapped[1:])]
