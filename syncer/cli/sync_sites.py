"""`syncer sync` of several sites, one after the other: which of them, with which PATHs and videos."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING

from syncer.cli.arguments import existing, path_in
from syncer.cli.changes import failures
from syncer.cli.environment import sync_one
from syncer.cli.log_setup import REDACTOR
from syncer.cli.process import printed
from syncer.cli.sites import ChosenSite, Result, choose_sites, conclude, headings, in_turn, listed
from syncer.cli.stopping import StopSignal, stop_on_signals
from syncer.errors import Stopped, SyncerError, UsageError
from syncer.status.report import report_json
from syncer.sync.named_videos import named_videos
from syncer.wording import safe

if TYPE_CHECKING:
    from syncer.cli.settings import Settings
    from syncer.sync.options import Options

Secrets = tuple[str, str | None]
"""The API key of a site, and the address of its build hook."""


def sync_sites(
    settings: Settings, names: Sequence[str], paths: Sequence[str], options: Options, *, as_json: bool
) -> int:
    """Sync the sites with these names, or all, each in its turn; return the highest exit code.

    A PATH goes to the site that it is in, a video to the sites that name it; other sites have no turn. Raises
    UsageError where one of them is in no site, and ConfigError where no config is valid: then nothing is done.
    """
    with stop_on_signals() as stopped:
        choice = choose_sites(settings, names)
        sites, left_out = {site.name: site for site in choice.sites}, choice.left_out
        narrowed = dict.fromkeys(sites, options)
        if paths:
            narrowed, left_out = _with_paths(choice.sites, paths, options), {}
        if options.videos:
            narrowed = _with_videos(sites, narrowed, stopped)
        secrets = {name: _secrets(sites[name]) for name in narrowed}  # all, before the first sync starts a program
        sync = partial(_sync, stopped=stopped, as_json=as_json, show_heading=headings())
        turns = {name: partial(sync, sites[name], secrets[name], own) for name, own in narrowed.items()}
        results = in_turn(turns, left_out, stopped)
    code = conclude(results, as_json=as_json, quiet=settings.quiet)
    return printed(code) if options.dry_run else code


def _sync(
    site: ChosenSite,
    secrets: Secrets | SyncerError,
    options: Options,
    *,
    stopped: StopSignal,
    as_json: bool,
    show_heading: Callable[[str], None],
) -> Result:
    """Sync a site, and print what it did, below its name; with `quiet`, the name only if something follows it."""
    settings = site.settings
    if not (as_json or settings.quiet):
        show_heading(site.name)
    if isinstance(secrets, SyncerError):
        raise secrets
    keep_all = options.dry_run and as_json
    report, changes = sync_one(settings, site.config, secrets, options, keep_all=keep_all, stopped=stopped)
    if settings.quiet and not as_json:
        with redirect_stderr(StringIO()) as wrong:
            changes.show(report, quiet=True)
        if text := wrong.getvalue():
            print(f"{safe(site.name)}:\n{text}", end="", file=sys.stderr)
    elif not as_json:
        changes.show(report, quiet=False)
    for message in dict.fromkeys(problem.message for problem in failures(report)):
        print(f"syncer: {safe(site.name)}: {message}", file=sys.stderr)
    return report_json(report, changes.changes if options.dry_run else None) if as_json else {}, report.exit


def _secrets(site: ChosenSite) -> Secrets | SyncerError:
    """Return the secrets of a site, which the log and the environment no longer have then; or why it has none."""
    try:
        key, hook = site.settings.key(site.config), site.settings.hook(site.config)
    except SyncerError as error:
        return error
    REDACTOR.learn(key, hook)
    return key, hook


def _with_paths(sites: Sequence[ChosenSite], paths: Iterable[str], options: Options) -> dict[str, Options]:
    """Return the options of each site that has one of the PATHs, with its own ones. Raises UsageError.

    Of a site in another, a PATH in both is the inner one's.
    """
    own: dict[str, list[str]] = {}
    for path in paths:
        full = existing(path)
        within = [
            (len(os.path.realpath(site.config.site)), site.name, found)
            for site in sites
            if (found := path_in(site.config.site, full)) is not None
        ]
        if not within:
            raise UsageError(
                f"{path}: in none of the sites {listed([site.name for site in sites])}; name a page of one"
            )
        _, name, found = max(within)
        own.setdefault(name, []).append(found)
    return {site.name: replace(options, paths=tuple(own[site.name])) for site in sites if site.name in own}


def _with_videos(
    sites: Mapping[str, ChosenSite], narrowed: Mapping[str, Options], stopped: StopSignal
) -> dict[str, Options]:
    """Return the options of each site that names one of the videos, with its own ones. Raises UsageError and Stopped.

    A site whose pages cannot be looked at may name them, and says in its turn what is wrong.
    """
    found, unknown = {}, {video for each in narrowed.values() for video in each.videos}
    unsure = False
    for name, options in narrowed.items():
        if stopped.is_set():
            raise Stopped("stopped while looking for the videos; nothing was done")
        try:
            named = named_videos(sites[name].config, options.paths, options.videos)
        except UsageError:
            found[name], unsure = options, True
            continue
        if named:
            found[name] = replace(options, videos=named)
        unknown -= named
    if unknown and not unsure:
        raise UsageError(
            f"{', '.join(sorted(unknown))}: no page of the sites {listed(list(narrowed))} names this video"
        )
    return found
