"""The `syncer` command: its options, its subcommands, and the one door through which errors leave."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from syncer import __version__
from syncer.cli.settings import Settings, remove_secrets, restore_variables
from syncer.errors import ExitCode, SyncerError, UsageError

COMMANDS = {
    "init": "Look at a site and write its config.",
    "check": "The doctor: config, content, key, quota, state.",
    "sync": "Bring the counts up to date, once.",
    "daemon": "Sync on the schedule until told to stop.",
    "trigger": "Tell the running daemon to sync now.",
    "status": "Last and next sync, quota, what needs a person.",
    "log": "Read the diff log.",
    "history": "One video's readings over time.",
    "review": "See the counts that wait in git, keep or drop them.",
    "undo": "Put back the counts that a sync replaced.",
    "purge": "Forget readings and log lines.",
    "simulate": "Run a local YouTube for tests and drills.",
    "demo": "The tour, with nothing of yours touched.",
}
"""Every command and what it does, in the order of help. Its module is loaded when it is called: help is quick."""

KEY_AS_ARGUMENT = (
    "the API key is never an argument, where every process can read it; set the environment variable YOUTUBE_API_KEY,"
    " or name a file with youtube.api_key_file in the config"
)

DEFAULT_KEY_VARIABLE = "YOUTUBE_API_KEY"
"""The variable that holds the key where no config says otherwise."""

LONG_WORD = re.compile(r"(\S{100})\S{1000,}")
"""What is cut in messages: no path that you would look for is so long."""

BLANK = re.compile(r"(--[a-z-]+=)?\s*|-c\s+")
"""An empty argument, or an option with one: `sync "$PAGE"` with `PAGE` unset does not mean all pages."""

FLAGS = {"-v", "-vv", "--verbose", "-q", "--quiet"}
WITH_VALUE = {"-c", "--config", "--log-format"}


class _Commands(click.Group):
    """The subcommands, loaded when they are called. The options before the command are taken after it as well."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the options of `syncer` itself before all other arguments; what follows `--` stays."""
        if any(map(BLANK.fullmatch, args)):
            raise click.UsageError("an argument is empty; say what it should name, or leave it out", ctx)
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
        return super().parse_args(ctx, options + rest + waiting)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (
            BrokenPipeError
        ) as error:  # click would exit silently, as if it were standard output's, which raises none
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
            remedy = f"did you mean '{near[0]}'?" if near else "`syncer --help` lists the commands"
            raise click.UsageError(f"no such command '{args[0]}'; {remedy}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "-c",
    "--config",
    metavar="PATH",
    envvar="SYNCER_CONFIG",
    default="config/syncer.yaml",
    show_default=True,
    show_envvar=True,
    help="The config file.",
)
@click.option("-v", "--verbose", count=True, help="Say more; twice for all.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="The form of the log on standard error.",
)
@click.version_option(__version__, prog_name="syncer")
@click.pass_context
def cli(ctx: click.Context, config: str, verbose: int, quiet: bool, log_format: str) -> None:
    """Keep the YouTube counts in a site's front matter true.

    Start with `syncer demo`, then `syncer init` in your site.
    """
    if not config.strip():  # an empty variable counts as unset, as everywhere; a blank one names a file
        raise click.UsageError("the variable SYNCER_CONFIG is blank; name the config in it, or unset it", ctx)
    ctx.obj = Settings(config, verbose, quiet, log_format == "json")
    ctx.call_on_close(lambda: restore_variables(ctx.obj.environ))
    remove_secrets({DEFAULT_KEY_VARIABLE})
    ctx.obj.start_log()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: the only place where errors end."""
    given = list(sys.argv[1:] if arguments is None else arguments)
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
    except Exception as error:
        import logging

        logging.getLogger("syncer").critical("a bug in syncer; please report it", exc_info=True)
        return _show_error(given, _Bug(f"a bug: {type(error).__name__}; the log has the traceback"), "")


class _Bug(SyncerError):
    kind = "bug"
    exit_code = ExitCode.BUG


def _show_error(arguments: Sequence[str], error: SyncerError, usage: str) -> int:
    from syncer.cli.log_setup import for_standard_error
    from syncer.redact import redact
    from syncer.wording import safe, safe_json

    message = LONG_WORD.sub(r"\1...", redact(str(error)))
    if "--json" in arguments:
        document = {"error": {"kind": error.kind, "message": message}, "exit": error.exit_code}
        print(safe_json(document, indent=2))
    else:
        lines = "\n".join(map(safe, message.split("\n")))  # a config has a line for each finding
        print(for_standard_error(f"{usage}syncer: {lines}", "ERROR"), file=sys.stderr)
    return error.exit_code


def _sentence(error: click.ClickException) -> str:
    """Return the message in our form: click's own begin like sentences, and do not say what to do."""
    if isinstance(error, click.NoSuchOption) and "key" in error.option_name:
        return KEY_AS_ARGUMENT
    message = error.format_message()
    if not message[:1].isupper():
        return message
    sentence = (message[0].lower() + message[1:]).rstrip(".").replace(". Did you mean", "; did you mean")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return sentence if sentence.endswith("?") or not context else f"{sentence}; see `{context.command_path} --help`"
