"""How an exercise is checked: a learner's function runs in another process, in many worlds, and is judged there.

In the kernel: `exercise` reads a folder and gives the verdict, `travel` packs the function, `process` has it tried,
`card` shows what came of it, `progress` keeps it. In the other process: `child` answers, `trying` goes through the
worlds, `worlds` runs the function in one, in `virtual_time`; `work` is what it is handed, `expect` what is said of it.
"""
