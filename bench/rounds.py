"""Rounds of two sides or more, in turns, and what others did meanwhile."""

import statistics

import proc

OTHERS_SHARE_MAX = 0.15


class Rounds:
    """Takes rounds, repeats those that others disturbed, remembers how quiet it was."""

    def __init__(self, attempts):
        self.attempts = attempts
        self.others = []

    def take(self, work):
        """The result of the first quiet run of `work`, else that of the quietest."""
        best = None
        for _ in range(self.attempts):
            with proc.Others() as others:
                result = work()
            if best is None or others.share < best[0]:
                best = (others.share, result)
            if best[0] <= OTHERS_SHARE_MAX:
                break
        self.others.append(best[0])
        return best[1]

    def noise(self):
        """What a row says of the rounds so far."""
        return {"others": max(self.others), "noisy": max(self.others) > OTHERS_SHARE_MAX}


def medians(samples):
    return {name: statistics.median(values) for name, values in samples.items()}


def alternate(rounds, count, sides):
    """Take `count` rounds of each side in turns: {side: (median of each figure)}, and the samples."""
    samples = {name: [] for name in sides}
    for number in range(count):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for name in order:
            samples[name].append(rounds.take(sides[name]))
    middle = {name: tuple(statistics.median(column) for column in zip(*values))
              for name, values in samples.items()}
    return middle, samples
