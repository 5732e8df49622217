"""Every command and every Python block of README.md and docs runs, and prints what the page shows below it.

Examples that need a model which the test install lacks are listed in NOT_RUN, each with its reason.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import wave

import numpy as np
import pytest
from helpers import doc_examples, forked
from helpers.open_models import models_stay_open, smollm  # noqa: F401  a fixture
from helpers.paths import REFERENCE, ROOT
from helpers.sentences import TIRED, WIDE
from PIL import Image

import attnviz
from attnviz.cli import main

HUB = "a model on the Hub: no network in the tests (tests/models/test_hub.py has its own server)"
LONG = "8,192 tokens take a minute (benchmarks/long_texts.py)"
HEADS = "the composition of all 270 heads takes 20 s; docs/analysis/circuits.md has six layers"
EACH = "270 heads, one at a time, take 10 s; tests/house/test_doc_numbers.py runs them for docs/analysis/ablate.md"
FILES = "reads files that are not there, or goes on for hours (tests/corpora)"
TIMES = "measures times for minutes (tests/analyses/test_mechanisms_command.py)"
CLUSTER = "needs a scheduler (tests/corpora/test_cluster.py)"
NOT_RUN = {
    "attnviz corpus sentences.txt -m minilm -o sentences --scheduler tcp://node1:8786": CLUSTER,
    "attnviz corpus sentences.txt -m minilm -o sentences --scheduler-file scheduler.json": CLUSTER,
    "attnviz corpus sentences.txt -m minilm -o sentences --part $SLURM_ARRAY_TASK_ID/100": CLUSTER,
    'attnviz heatmap "The cat sat on the mat" -m openai-community/gpt2@main': HUB,
    'attnviz heatmap "The cat sat on the mat" -m openai-community/gpt2': HUB,
    'attnviz heatmap "The cat sat on the mat" -m openai-community/gpt2@607a30d': HUB,
    'attnviz heatmap --audio speech.wav -m path/to/whisper --target "Hello."': "no Whisper with a tokenizer is there",
    "attnviz heatmap --file chapter.txt -m SmolLM2-135M-Instruct.Q4_1.gguf -l all --cells 256 -o chapter.png": LONG,
    "attnviz heatmap --file chapter.txt -m SmolLM2-135M-Instruct.Q4_1.gguf --rows 4000-4060 --cols 3960-4060"
    " -o window.png": LONG,
    "attnviz html --file chapter.txt -m model.gguf -o chapter.html": LONG,
    'attnviz html "Dogs like bones" -m path/to/t5 --target "Hunde mögen Knochen" -o streams.html': "no T5 with a "
    "tokenizer is there (tests/cli/test_html.py makes an encoder-decoder)",
    'attnviz ablate "The capital of France is" -m SmolLM2-135M-Instruct.Q4_1.gguf --predict Paris -o ablate.png': EACH,
    "attnviz corpus reviews.jsonl --field review -m minilm -o reviews": FILES,
    "attnviz corpus sentences.txt --analysis stats --no-special -m minilm -o sentences": FILES,
    "attnviz corpus sentences.txt -m minilm -o sentences --part 7/100": FILES,
    "attnviz corpus sentences.txt -m minilm -o sentences": FILES,
    "attnviz corpus texts/bible.txt texts/fortunes.txt texts/novel.txt texts/speeches.txt texts/wordnet.txt -m minilm "
    "-o study": FILES,
    "attnviz corpus merge sentences": FILES,
    "attnviz corpus merge sentences --json": FILES,
    "attnviz corpus report sentences": FILES,
    "attnviz corpus report sentences -o report.html": FILES,
    "attnviz corpus report sentences --by special --top 20": FILES,
    "attnviz corpus report sentences --by entropy -o entropy.pdf": FILES,
    'attnviz heatmap "The cat sat on the mat" -m model.gguf -l 31 -o last.png': "the model of the tests has 30 layers",
    "attnviz mechanisms --scaling": TIMES,
    "attnviz mechanisms --scaling -o scaling.svg": TIMES,
    "attnviz describe org/name": HUB,
    "attnviz circuits model.gguf --by pair --top 20": HEADS,
    "attnviz circuits model.gguf -o circuits.png": HEADS,
    "attnviz mechanisms --scaling [-o scaling.svg]": TIMES,
}
# Words that the reader replaces by something else.
STAND_FOR = {
    "TEXT": TIRED,
    "TEXT2": WIDE,
    "PROMPT": "The cat sat on the mat. The cat sat on the",
    "MODEL": "minilm",
    "FOLDER": "path/to/folder",
    "OTHER": "minilm",
    "DIR": "sharper",
    "N": "3",
    "model.gguf": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "path/to/model.gguf": "SmolLM2-135M-Instruct.Q4_1.gguf",
}
LOADED = ("numpy", "tokenizers", "matplotlib.figure", "matplotlib.backends.backend_pdf")
COMMANDS = doc_examples.commands()
BLOCKS = doc_examples.python_blocks()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, minilm):
    """A reader's folder: the samples, a model or two, an image, numbers of another program."""
    place = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "sample_inputs", place / "sample_inputs")  # figures of the plan in it are drawn there
    (place / smollm().name).symlink_to(smollm())
    subprocess.run([sys.executable, ROOT / "sample_inputs" / "sharper_head.py", place / "sharper"], check=True)
    (place / "path" / "to").mkdir(parents=True)
    for name, target in {"model": minilm, "base": minilm, "folder": minilm, "vit": REFERENCE / "vit"}.items():
        (place / "path" / "to" / name).symlink_to(target)
    (place / "run").mkdir()
    for name in ("checkpoint-500", "checkpoint-1000", "step-1", "step-2", "step1000", "step2000"):
        (place / "run" / name).symlink_to(minilm)
    for name in ("lora", "adapter"):
        (place / "path" / "to" / name).symlink_to(place / "sharper")
    (place / "path" / "to" / "config.json").symlink_to(minilm / "config.json")
    pixels = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(pixels).save(place / "cat.jpg")
    with wave.open(str(place / "speech.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.zeros(16000, "<i2").tobytes())
    np.save(place / "weights.npy", np.full((3, 3), 1 / 3, np.float32))
    (place / "attention.pt").symlink_to(ROOT / "tests" / "data" / "checkpoints" / "attentions.pt")
    (place / "tokens.txt").write_text("the\ncat\nsat\n")
    saved_files = {
        "A.npz": TIRED,
        "B.npz": WIDE,
        "before.npz": TIRED,
        "after.npz": WIDE,
        "attention.npz": "the cat sat",
    }
    for name, text in saved_files.items():
        attnviz.load("tiny").attend(text).save(place / name)
    np.save(place / "attention.npy", np.full((3, 3), 1 / 3, np.float32))
    return place


def words_of(command):
    """The words of a command line, with placeholders replaced."""
    words = shlex.split(command.text)[1:]
    if words[0] == "generate":  # the published encoder cannot continue a text; any model is a small one
        decoder = "model.gguf" if "-l" in words else "seeded"
        words = [decoder if word in ("MODEL", "model.gguf") else word for word in words]
        if not command.shown:  # three tokens are enough for a text that the page does not show
            words += ["--max-new", "3"]
    if words[0] == "context":
        files = {"FILE...": "sample_inputs/notes.txt", "FILE": "sample_inputs/mails.txt", "MODEL": "model.gguf"}
        words = [files.get(word, word) for word in words]
        if not command.shown and not {"--answer", "--max-new"} & set(words):
            words += ["--max-new", "3"]
    return [STAND_FOR.get(word, word) for word in words]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.text not in NOT_RUN], ids=str)
@pytest.mark.usefixtures("models_stay_open")
def test_a_command_runs_and_prints_what_is_shown(command, folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    if "lesson.npz" in command.text:
        exec(compile(BLOCKS[command.page][0], command.page, "exec"), {})
    status = main(words_of(command))
    out, err = capsys.readouterr()
    assert status == 0, err
    assert out
    if command.shown:
        assert squeezed(command.shown) in squeezed(out)


def squeezed(text):
    """Lines without the space between their columns."""
    return "\n".join(" ".join(line.replace("␣", " ").split()) for line in text.strip("\n").split("\n"))


@pytest.mark.parametrize("page", BLOCKS)
def test_the_python_of_a_page_runs(page, folder):
    """In a separate process, without what other pages import of attnviz."""
    code = "\n".join(["import warnings", "warnings.simplefilter('ignore')", *BLOCKS[page]])
    done = forked.run(code, *LOADED, folder=folder)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_not_run_stands_on_a_page():
    assert NOT_RUN.keys() - {command.text for command in COMMANDS} == set()


def test_all_of_them_are_found():
    """A new form of pages must not hide their examples from this test."""
    assert len(COMMANDS) > 100 and len(BLOCKS) >= 14
    assert sum(bool(command.shown) for command in COMMANDS) >= 5
