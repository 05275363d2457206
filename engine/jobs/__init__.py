"""Long work as detached processes: start, follow, control.

A job is a folder with the job's order (``job.json``), its event log (``events.jsonl``), what the process
printed (``worker.log``), a lock that the living process holds (``lock``), and ``requests/``, where others leave
what they want of it. Nothing about a job is known only to one process's memory.
"""
