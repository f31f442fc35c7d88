"""`syncer review`: shows the counts that are not committed, and keeps or drops them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.review.act import Choice
    from syncer.review.look import ReviewPage

PATH_OPTIONS = {"--keep", "--drop"}


class _SeveralPaths(click.Command):
    """Takes several paths after one option, as a shell pattern expands to."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put an option before each path, not only before the first."""
        words: list[str] = []
        option, is_first = None, False
        for word in args:
            name, equals, _ = word.partition("=")
            if is_first or not word.startswith("-"):
                words += [word] if option is None or is_first else [option, word]
                is_first = False
            else:
                option = name if name in PATH_OPTIONS else None
                is_first = bool(option) and not equals
                words.append(word)
        return super().parse_args(ctx, words)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        takes_more = ctx.params.get("keep") or ctx.params.get("drop")
        if takes_more and not incomplete.startswith("-"):
            return [CompletionItem(incomplete, type="file")]
        return super().shell_complete(ctx, incomplete)


@click.command(cls=_SeveralPaths)
@click.option("--keep", multiple=True, metavar="PATH...", type=click.Path(), help="Commit these pages' counts.")
@click.option("--drop", multiple=True, metavar="PATH...", type=click.Path(), help="Restore their old counts.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, keep: tuple[str, ...], drop: tuple[str, ...], as_json: bool) -> int:
    """Review counts that are not committed yet; keep or drop them.

    On a terminal and without options, it prompts you for each page. PATHs are files or directories.
    """
    from syncer.cli.process import printed
    from syncer.cli.prompt import prompt
    from syncer.cli.review_output import review_json, show_review
    from syncer.cli.show import show, show_json
    from syncer.review.act import Choice
    from syncer.review.look import look, missing_data_file

    config = settings.config()
    choice = Choice(*_site_paths(config, keep, drop))
    if choice.keep or choice.drop:
        return _act(settings, config, choice, None, as_json=as_json)
    review = look(config, ())
    if as_json:
        show_json(review_json(review))
        return printed(review.exit)
    asking = sys.stdin.isatty() and sys.stdout.isatty()
    show_review(review, hint=not asking)
    if missing := missing_data_file(config):
        show(missing)
    if asking:
        choice = prompt(review.pages)
        if choice.keep or choice.drop:
            return _act(settings, config, choice, review.pages, as_json=False)
    return printed(review.exit)


def _site_paths(config: Config, keep: Sequence[str], drop: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return both, relative to the site. Raises UsageError if a page is in both."""
    from syncer.cli.arguments import site_paths
    from syncer.content.walk import with_parents
    from syncer.errors import UsageError

    kept, dropped = site_paths(config.site, keep), site_paths(config.site, drop)
    for paths, others in ((kept, set(dropped)), (dropped, set(kept))):
        for path in paths:
            if not others.isdisjoint(with_parents(path)):
                raise UsageError(f"{path or '.'} is in both --keep and --drop; name each page once")
    return kept, dropped


def _act(
    settings: Settings, config: Config, choice: Choice, shown: Sequence[ReviewPage] | None, *, as_json: bool
) -> int:
    from syncer.cli.environment import stoppable
    from syncer.cli.review_output import review_json, show_result
    from syncer.cli.show import show_json
    from syncer.review.act import act
    from syncer.review.look import look

    with stoppable(settings) as (environment, listener):
        result = act(config, choice, shown, environment, listener)
    if as_json:
        show_json(review_json(result.remaining, result))
    else:
        show_result(result, look(config, ()).pages, pushes=config.git.push, own_file=config.write.file)
    return result.exit
