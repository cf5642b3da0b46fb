"""The command line: ``python -m residual_lib COMMAND``; ``--help`` lists the commands."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

EXAMPLES = """examples:
  python -m residual_lib run                    measure what was not measured yet
  python -m residual_lib run 2 --jobs 1         chapter 2 alone, in one process
  python -m residual_lib run degradation --profile full --device cuda --record
  python -m residual_lib claims --chapter 2     verdicts, estimates and intervals
  python -m residual_lib claims --sabotage      no claim may survive this
  python -m residual_lib models 'residual_*'
  python -m residual_lib data mnist1d
  python -m residual_lib probe lesion --model residual_conv1d --option depth=20 --steps 300
  python -m residual_lib run cifar --data FOLDER --profile evening
  python -m residual_lib load resnet20.th --model resnet20_cifar
  python -m residual_lib evaluate resnet50.pth --model resnet50 --data IMAGES --crop 224
  python -m residual_lib class predictions/*.json --out lecture
"""


WORDS = """\
A trial is one variant of an experiment with one seed. Finished trials are kept in the store, the
folder .trials/ of a checkout or the one that RESIDUAL_LIB_STORE names, and are not measured again
while neither the code that they depend on nor their settings change.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 (something failed), 2 (wrong arguments)."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except (ValueError, FileNotFoundError) as error:
        print(f"residual_lib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nresidual_lib: stopped; finished trials are stored", file=sys.stderr)
        return 130


def run(options: argparse.Namespace) -> int:
    """Fill the store, and say what was measured."""
    # Imports of torch and pandas stay inside the commands: --help answers at once.
    from residual_lib.experiments.framework import fill, recorded

    if options.data is not None:
        from residual_lib.experiments import cifar, unet

        for variable in (cifar.FOLDER, unet.FOLDER):  # each looks whether it holds its own
            os.environ[variable] = os.path.abspath(options.data)
    start = time.perf_counter()
    report = fill.fill(
        fill.selected(options.chapters),
        profile=options.profile,
        seeds=options.seeds,
        fresh=options.fresh,
        jobs=options.jobs,
        device=options.device,
    )
    print(report.text())
    print(f"{time.perf_counter() - start:.1f} s; store: {report.store.root}")
    for failure in report.failures:
        print(f"\n{failure}", file=sys.stderr)
    if options.record and not report.failures:
        for experiment in report.experiments:
            table = experiment.table(options.profile, options.seeds, progress=False)
            print(f"recorded {recorded.write(table).name}")
    return 1 if report.failures else 0


def claims(options: argparse.Namespace) -> int:
    """Print the ledger, or what is left of it under sabotage."""
    from residual_lib import claims, experiments
    from residual_lib.experiments.framework import fill

    # Measured first and all at once, so that nothing but the ledger is printed to stdout.
    wanted = dict.fromkeys(claim.experiment for claim in claims.list_claims(options.chapter))
    report = fill.fill([experiments.get(name) for name in wanted], profile=options.profile)
    if report.failures:
        print(*report.failures, sep="\n", file=sys.stderr)
        return 1
    if options.sabotage:
        return _sabotage(options)
    ledger = claims.ledger(options.chapter, options.profile, progress=False)
    if options.json:
        print(ledger.to_json())
    elif options.markdown:
        print(ledger.to_markdown(), end="")
    else:
        print(ledger.to_text())
    return 0


def _sabotage(options: argparse.Namespace) -> int:
    from residual_lib import claims

    found = claims.sabotage_all(options.chapter, options.profile, options.permutations)
    survivors = [result for result in found if result.survives]
    if options.json:
        print(json.dumps([result.as_dict() for result in found], indent=1))
    else:
        print("\n".join(map(str, found)) or "no claims yet")
        print(f"{len(found)} claims, {len(survivors)} survive sabotage")
    return 1 if survivors else 0


def models(options: argparse.Namespace) -> int:
    """List models with their parameter counts at their defaults."""
    import torch

    from residual_lib.models import create_model, list_models

    names = list_models(options.pattern)
    if not names:
        raise ValueError(f"no model matches {options.pattern!r}; there are: {list_models()}")
    width = max(map(len, names))
    for name in names:
        with torch.device("meta"):  # shapes without numbers
            model = create_model(name)
        count = sum(parameter.numel() for parameter in model.parameters())
        print(f"{name:<{width}}  {count:>12,} parameters at default size")
    return 0


def data(options: argparse.Namespace) -> int:
    """List the data sets, or print one's card."""
    from residual_lib import data

    if options.name is None:
        for name in data.list_data():
            print(f"{name:<14}  {data.card(name).title}")
    else:
        print(data.card(options.name))
    return 0


def load(options: argparse.Namespace) -> int:
    """Load a checkpoint, say what was found, and write it under our names if asked to."""
    from residual_lib import checkpoints

    model = _loaded(options)
    count = sum(parameter.numel() for parameter in model.parameters())
    print(f"{options.checkpoint} is a {options.model}: {count:,} parameters, layout {model.layout}")
    print("\n".join(f"  {name} = {value!r}" for name, value in sorted(model.options.items())))
    if options.output is not None:
        print(f"written to {checkpoints.save(model, options.output)}")
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """Print how often a checkpoint is right on images."""
    from residual_lib.data.images import open_images
    from residual_lib.evaluation import evaluate

    images = open_images(options.data, options.split, resize=options.resize, crop=options.crop)
    scores = evaluate(
        _loaded(options),
        images,
        normalise=options.normalise,
        batch_size=options.batch_size,
        limit=options.limit,
        device=options.device,
    )
    if options.json:
        print(json.dumps({"data": images.label, **scores}))
        return 0
    right = [f"top-{k} {scores[f'top{k}']:.2%}" for k in (1, 5) if f"top{k}" in scores]
    print(
        f"{options.model} on {scores['images']:,} images of {images.label}: "
        f"{', '.join(right)} right, loss {scores['loss']:.4f}"
    )
    return 0


def probe(options: argparse.Namespace) -> int:
    """Build a model, measure it with a probe, and print the table."""
    from residual_lib.probes.command import PROBES, measure

    if options.name is None:
        width = max(map(len, PROBES))
        for name, function in PROBES.items():
            print(f"{name:<{width}}  {(function.__doc__ or '').strip().splitlines()[0]}")
        return 0
    if options.model is None:
        raise ValueError("--model must name a model; `models` lists them")
    try:
        table = measure(
            options.name,
            options.model,
            options=dict(options.option),
            probe_options=dict(options.set),
            data_name=options.data,
            examples=options.examples,
            steps=options.steps,
            checkpoint=options.checkpoint,
            seed=options.seed,
        )
        if options.out is not None:
            table.to_csv(options.out, index=False)
    except (TypeError, OSError) as error:  # an option that isn't one; a file that isn't there
        raise ValueError(str(error)) from error
    if options.out is None:
        print(table.to_string(index=False))
    else:
        print(f"{len(table)} rows in {options.out}")
    return 0


def class_(options: argparse.Namespace) -> int:
    """Draw what a class predicted, from the files that students saved."""
    from residual_lib import classroom

    group = classroom.read(options.files)
    print(*group.complaints, sep="\n", end="\n" if group.complaints else "", file=sys.stderr)
    if not group.questions:
        print("residual_lib: no file holds a prediction that can be drawn", file=sys.stderr)
        return 1
    page = classroom.write(group, options.out)[0]
    print(classroom.summary(group))
    print(f"{len(group.students)} students; the figures and a page with all of them: {page}")
    return 0


def _loaded(options: argparse.Namespace) -> Any:
    from residual_lib import checkpoints

    try:
        given = dict(options.option)
        return checkpoints.load(options.checkpoint, options.model, options.layout, **given)
    except TypeError as error:  # an option that the model doesn't have
        raise ValueError(error) from None


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help shows how)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m residual_lib",
        description="Measure the course's experiments and judge its claims.\n\n" + WORDS,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function: Any, summary: str, more: str = "") -> argparse.ArgumentParser:
        added = commands.add_parser(
            function.__name__.rstrip("_"),
            help=summary,
            description=summary + more,
            allow_abbrev=False,
        )
        added.set_defaults(command=function)
        return added

    chapter = "a chapter's number or name, such as 2 or degradation (default: all)"
    profile = "quick (default: a minute a chapter) or full (a GPU, or a night)"
    add = command(run, "measure the trials that the store lacks, on all cores").add_argument
    add("chapters", nargs="*", metavar="CHAPTER", help=f"{chapter}; or one experiment's name")
    add("--profile", default="quick", metavar="P", help=profile)
    add("--seeds", type=_positive, metavar="N", help="seeds 0 to N-1 (default: the profile's)")
    add("--device", default="auto", metavar="D", help="auto (default), cpu, cuda, cuda:0 or mps")
    add("--jobs", type=_positive, metavar="J", help="processes (default: one a core)")
    add("--fresh", action="store_true", help="measure stored trials anew, too")
    add(
        "--record",
        action="store_true",
        help="keep the tables as a recorded run, in residual_lib/experiments/recorded/",
    )
    add(
        "--data",
        metavar="FOLDER",
        help="for `run cifar` (the official files or mosaics) and `run isbi`",
    )

    more = "; what was not measured yet is measured first"
    add = command(claims, "judge the claims by what was measured", more).add_argument
    add("--chapter", metavar="CHAPTER", help=chapter)
    add("--profile", default="quick", metavar="P", help=profile)
    add("--json", action="store_true", help="a list of objects, for programs")
    add("--markdown", action="store_true", help="a table, for the site")
    add(
        "--sabotage",
        action="store_true",
        help="judge them with the mechanism taken away; exit code 1 if one still holds",
    )
    add(
        "--permutations",
        type=_positive,
        default=200,
        metavar="N",
        help="of --sabotage: shuffled tables a claim (default: 200)",
    )

    add = command(models, "list the models and their numbers of parameters").add_argument
    add(
        "pattern", nargs="?", default="*", help="shell pattern, such as 'residual_*' (default: all)"
    )

    add = command(data, "list the data sets, or print a data card").add_argument
    add("name", nargs="?", help="a data set's name (default: list the names)")

    settings: dict[str, Any] = {"type": _setting, "action": "append"}
    settings |= {"default": [], "metavar": "OPTION=VALUE"}

    def checkpoint(function: Any, summary: str) -> Callable[..., argparse.Action]:
        add = command(function, summary).add_argument
        add("checkpoint", metavar="CHECKPOINT", help="a .pt, .pth, .th or .safetensors file")
        add("--model", required=True, metavar="M", help="a name that `models` lists")
        add("--layout", default="auto", metavar="L", help=_LAYOUTS)
        add("--option", **settings, help="of the model, such as stride_in_1x1=true; repeatable")
        return add

    add = checkpoint(load, "check that other people's weights fit a model")
    add("--output", metavar="FILE", help="write them here, as .safetensors, under our names")

    add = checkpoint(evaluate, "measure the accuracy of weights on images")
    add("--data", required=True, metavar="FOLDER", help="CIFAR-10, or a folder for each class")
    add("--split", default="test", choices=("train", "test"), help="of CIFAR-10 (default: test)")
    add("--normalise", default="imagenet", metavar="N", help="imagenet (default), cifar10, none")
    add("--resize", type=_positive, metavar="PIXELS", help="shorter side, for folders")
    add("--crop", type=_positive, metavar="PIXELS", help="square from the middle, for folders")
    add("--limit", type=_positive, metavar="N", help="the first N images alone")
    add("--batch-size", type=_positive, default=128, metavar="N", help="images at once")
    add("--device", default="auto", metavar="D", help="auto (default), cpu, cuda, cuda:0 or mps")
    add("--json", action="store_true", help="an object, for programs")

    add = command(probe, "measure a model with a probe, or list the probes").add_argument
    add("name", nargs="?", help="a probe's name, such as lesion (none: list them)")
    add("--model", metavar="M", help="a name that `models` lists")
    add("--option", **settings, help="of the model, such as depth=20; repeatable")
    add("--set", **settings, help="of the probe, such as draws=5; repeatable")
    add("--data", metavar="D", help=_PROBED)
    add("--examples", type=_positive, default=256, metavar="N", help="test examples (default: 256)")
    add("--steps", type=_positive, default=0, metavar="N", help="train first (default: don't)")
    add("--checkpoint", metavar="FILE", help="weights to measure (default: new ones)")
    add("--seed", type=int, default=0, metavar="S", help="of weights and draws (default: 0)")
    add("--out", metavar="CSV", help="write the table there instead of printing it")

    add = command(class_, "draw a class's predictions, from saved files", _CLASS).add_argument
    add("files", nargs="+", metavar="FILE", help="saved on the page of progress of the site")
    add(
        "--out",
        default="class",
        metavar="FOLDER",
        help="where figures (PNG, SVG) and index.html go (default: class)",
    )
    return parser


_CLASS = (
    ". A file carries its questions, their axes and what was measured, so nothing else is needed. "
    "Of two files with the same name in them the one saved last counts. What can't be read is "
    "named and left out. No student's name is shown."
)


_PROBED = (
    "a name that `data` lists, or a folder with CIFAR-10 (default: a data set that the model takes)"
)
_LAYOUTS = "auto (default), torchvision, timm, akamaster, pleiss, gpt2, bert or residual_lib"


def _setting(text: str) -> tuple[str, Any]:
    """``name=value``, the value as in JSON, or else a text."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"must be OPTION=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
