"""The `syncer` command: its options, its subcommands, and the one place where errors are printed."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from syncer import __version__
from syncer.cli.settings import DEFAULT_CONFIG, SUFFIX, USED, remove_secrets, restore_variables, settings_of
from syncer.errors import ExitCode, SyncerError, UsageError

COMMANDS = {
    "init": "Propose a config for your site and write it.",
    "check": "Check the setup: config, pages, API key, quota, git, state.",
    "sync": "Update the counts once, now.",
    "daemon": "Sync on a schedule until stopped.",
    "trigger": "Make the running daemon sync now.",
    "status": "Show the last and next sync, the quota, and what needs attention.",
    "plan": "Show what the next sync requests and why, and how far the quota goes.",
    "log": "Show the diff log: every count that was changed.",
    "history": "Show a video's counts over time.",
    "videos": "Show which videos play, since when, and on which pages.",
    "export": "Export readings, changes or videos as CSV, JSON Lines or Parquet.",
    "review": "Review counts that are not committed yet; keep or drop them.",
    "undo": "Restore the counts that a sync replaced.",
    "deploy": "Call your host's build hook if a build is due.",
    "purge": "Delete stored readings and log lines.",
    "fleet": "Sync sites on several machines as one fleet.",
    "simulate": "Run a local YouTube, without an account.",
    "demo": "Take the tour with sample pages and a local YouTube.",
}
"""Every command and its summary, in the order of the help. A command's module is imported only when it runs, so that
the help appears quickly.
"""

KEY_AS_ARGUMENT = (
    "the API key cannot be an argument, because other processes can read arguments; set the environment variable"
    " YOUTUBE_API_KEY, or set youtube.api_key_file in the config"
)

WITHOUT_A_SITE = {"daemon", "demo", "init", "simulate"}
"""The commands that are not about one site of a config."""

DEFAULT_KEY_VARIABLE = "YOUTUBE_API_KEY"
"""The environment variable that holds the key, unless the config names another."""

BLANK = re.compile(r"(--[a-z-]+=)?\s*|-c\s+")
"""An empty argument, or an option with an empty value: `sync "$PAGE"` with `PAGE` unset does not mean all pages."""

FLAGS = {"-v", "-vv", "--verbose", "-q", "--quiet"}
WITH_VALUE = {"-c", "--config", "--log-format"}


class _Commands(click.Group):
    """The subcommands, imported when they run. The options of `syncer` itself may follow the command, too."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Move the options of `syncer` itself before all other arguments; what follows `--` stays where it is."""
        if not args and not ctx.resilient_parsing:  # completion parses no arguments, too
            print(ctx.get_help())
            ctx.exit(ExitCode.CANNOT_RUN)
        if any(map(BLANK.fullmatch, args)):
            raise click.UsageError("an argument is empty; give it a value, or remove it", ctx)
        options: list[str] = []
        rest: list[str] = []
        waiting = list(args)
        while waiting and waiting[0] != "--":
            word = waiting.pop(0)
            name, equals, _ = word.partition("=")
            if word in FLAGS or (name in WITH_VALUE and equals):
                options.append(word)
            elif word in WITH_VALUE:
                options += [word, *waiting[:1]]
                del waiting[:1]
            else:
                rest.append(word)
        if rest and rest[0].startswith("--site") and not ctx.resilient_parsing:
            site = rest[: 1 if "=" in rest[0] else 2]
            right = shlex.join([*options, *(rest[len(site) :][:1] or ["status"]), *site])
            raise click.UsageError(f"--site comes after the command: `syncer {right}`", ctx)
        return super().parse_args(ctx, options + rest + waiting)

    def invoke(self, ctx: click.Context) -> object:
        words = list(ctx.args)
        try:
            return super().invoke(ctx)
        except click.NoSuchOption as error:
            if error.option_name != "--site" or ctx.invoked_subcommand in WITHOUT_A_SITE:
                raise
            from syncer.cli.site_option import without_site_option

            raise without_site_option(ctx.obj, ctx.invoked_subcommand or "", words) from error
        except BrokenPipeError as error:  # from a socket: click would take it for a closed standard output, and exit
            raise ConnectionError(str(error)) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"syncer.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        import difflib

        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, 1)
            remedy = f"did you mean '{near[0]}'?" if near else "run `syncer --help` for a list"
            if args[0].endswith(SUFFIX):  # the shell made several words of `-c sites.d/*.yaml`
                directory = shlex.quote(os.path.dirname(args[0]) or ".")
                remedy = f"to name all configs of a directory, name it: -c {directory}"
            raise click.UsageError(f"no such command '{args[0]}'; {remedy}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-c",
    "--config",
    "configs",
    metavar="PATH",
    multiple=True,
    help="Path of the config file, or of a directory of them; may be repeated. Without it: the variable SYNCER_CONFIG,"
    f" then {DEFAULT_CONFIG}.",
)
@click.option("-v", "--verbose", count=True, help="Log more; -vv logs everything.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what needs attention, on standard error.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format of the log on standard error.",
)
@click.version_option(__version__, prog_name="syncer")
@click.pass_context
def cli(ctx: click.Context, configs: tuple[str, ...], verbose: int, quiet: bool, log_format: str) -> None:
    """Keep the YouTube counts in your static site's front matter up to date.

    New here? Run `syncer demo`, then `syncer init` in your site's directory.
    """
    from syncer.cli.log_setup import start_log

    ctx.obj = settings_of(configs, verbose=verbose, quiet=quiet)
    USED[None] = ctx.obj
    ctx.call_on_close(lambda: restore_variables(ctx.obj.environ))
    remove_secrets({DEFAULT_KEY_VARIABLE})
    level = "ERROR" if quiet else ("WARNING", "INFO", "DEBUG")[min(verbose, 2)]
    start_log(level, as_json=log_format == "json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code. Every error ends here."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    USED.clear()
    try:
        result = cli.main(given, prog_name="syncer", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except SystemExit as stop:  # click has printed completions for a shell
        return int(stop.code or 0)
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        usage = f"{context.get_usage()}\n" if context else ""
        return _show_error(given, UsageError(_sentence(error)), usage)
    except SyncerError as error:
        return _show_error(given, error, "")
    except (click.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - its traceback is logged
        from syncer.cli.show_error import logged_bug

        return _show_error(given, logged_bug(error), "")


def _show_error(arguments: Sequence[str], error: SyncerError, usage: str) -> int:
    from syncer.cli.show_error import error_document, show_error
    from syncer.wording import safe_json

    if "--json" in arguments:
        print(safe_json(error_document(error), indent=2))
    else:
        show_error(error, usage=usage)
    return error.exit_code


def _sentence(error: click.ClickException) -> str:
    """Return click's message in the form of syncer's own: no capital letter at the start, and a hint at the end."""
    if isinstance(error, click.NoSuchOption) and "key" in error.option_name:
        return KEY_AS_ARGUMENT
    message = error.format_message()
    if not message[:1].isupper():
        return message
    sentence = (message[0].lower() + message[1:]).rstrip(".").replace(". Did you mean", "; did you mean")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return sentence if sentence.endswith("?") or not context else f"{sentence}; see `{context.command_path} --help`"
