"""Corpora: many texts through one model, in parts that are whole files before they count.

texts.py      files, folders and standard input -> texts, one by one
job.py        what is measured in every text, by which model; its fingerprint
measures.py   the numbers of every text and head, and what is summed over all texts
summary.py    mean, variance and quantiles of a number over texts: sums that merge
places.py     how much a head's pattern differs from text to text
links.py      the strongest links of each head in all texts
work.py       a part of the texts -> the contents of its files
store.py      the folder that holds the parts
pool.py       parts on the cores of this machine
cluster.py     parts on the workers of a Dask cluster; remote.py: the tasks of these workers
suspects.py    a part that ends its process, and the text that is at fault
run.py        a whole run: parts, then summaries; going on where an earlier one ended
folder.py     the numbers of a finished run, out of its folder
"""
