"""How an exercise is checked: a learner's function runs in another process, in many worlds, and is judged there.

In the kernel: `exercise` reads a folder and gives the verdict, `packing` packs the function, `process` has it tried,
`card` shows what came of it, `progress` keeps it. In the other process: `child` answers, `trial` goes through the
worlds, `worlds` runs the function in one, in `virtual_time`; `work` is what it is handed, `run` what it did, `expect`
what is said of it, and `server_record` what servers saw of it.
"""
