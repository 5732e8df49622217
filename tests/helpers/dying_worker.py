"""A worker of a corpus that is ended by some texts, as a bug in a library or a lack of memory would end it.

Run instead of `python -m attnviz.corpora.worker`: a text with `kill me` ends the process at once.
"""

import os
import signal

from attnviz.corpora import work, worker

measured = work.work


def work_or_die(job, part):
    if any("kill me" in text.text for text in part.texts):
        os.kill(os.getpid(), signal.SIGKILL)
    return measured(job, part)


work.work = work_or_die
worker.main()
