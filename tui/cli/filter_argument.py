"""A command whose arguments are a filter line: its words may begin with ``-`` and are no options for it."""

from __future__ import annotations

import click


class FilterCommand(click.Command):
    """Takes ``-is:broken`` as a word of the filter, so that it needs no quotes and no ``--``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Moves such words behind the options."""
        if "--" in args:
            return super().parse_args(ctx, args)
        options = [arg for arg in args if not self._is_word(arg, ctx)]
        words = [arg for arg in args if self._is_word(arg, ctx)]
        return super().parse_args(ctx, [*options, "--", *words] if words else options)

    def _is_word(self, arg: str, ctx: click.Context) -> bool:
        """One dash and more than one letter: ``-is:keep``, ``-lake``; not ``-h``, ``--json``."""
        known = {name for param in self.params for name in param.opts} | set(ctx.help_option_names)
        return len(arg) > 2 and arg[0] == "-" and arg[1] != "-" and arg not in known
