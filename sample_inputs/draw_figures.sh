#!/bin/sh
# Draws a set of figures, as the author of a paper would: every file can be made again by running this.
#
#   sh sample_inputs/draw_figures.sh [FOLDER] [MODEL]
#
# FOLDER (default figures) is made if it is missing. MODEL (default seeded, which needs no download) is anything that
# --model takes; with minilm the first pair is the one that README.md describes.
set -eu

here=$(dirname "$0")
out=${1:-figures}
ATTNVIZ_MODEL=${2:-seeded}
export ATTNVIZ_MODEL
mkdir -p "$out"

# One head as a column of a two-column page (3.03 inches), and the same head for the sentence that differs by a word.
# --vmax 1 gives both pictures one scale, so that their colours can be compared.
case $ATTNVIZ_MODEL in
    minilm) layer=3 head=1 ;;
    *) layer=0 head=0 ;;
esac
for ending in tired wide; do
    attnviz heatmap --file "$here/animal_$ending.txt" -l "$layer" -H "$head" --vmax 1 --width 3.03 \
        --words --no-special --mark it:animal --mark it:street -o "$out/animal_$ending.pdf"
done

# All heads of the last layer across a full page, once with a title and once bare for a caption of your own.
attnviz heatmap --file "$here/cat_windowsill.txt" --width 6.75 -o "$out/windowsill.pdf"
attnviz heatmap --file "$here/cat_windowsill.txt" --width 6.75 --bare -o "$out/windowsill_bare.svg"

# Every layer and head at a glance, for a slide.
attnviz heatmap --file "$here/movie_not_bad.txt" -l all -o "$out/not_bad_all.png"

# Two meanings of one word, on one scale.
for sense in money river; do
    attnviz heatmap --file "$here/bank_$sense.txt" --query bank --vmax 1 --width 5.5 -o "$out/bank_$sense.svg"
done

# A long text. Weights are small where there are many keys: a square-root scale shows more than the strongest column.
attnviz heatmap --file "$here/paragraph.txt" -H 0 --scale sqrt --width 5.5 -o "$out/paragraph.png"

# The numbers behind the first figure, to read and to keep.
attnviz table --file "$here/animal_tired.txt" -l "$layer" -H "$head" --words > "$out/animal_tired.txt"
attnviz export --file "$here/animal_tired.txt" -o "$out/animal_tired.npz"
attnviz export --file "$here/animal_tired.txt" -l "$layer" -H "$head" -o "$out/animal_tired.csv"
