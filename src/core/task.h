/**
 * @file
 * Something to be done on one worker's thread: the unit of the worker's inbox and of its deferred
 * list. Embedded in whatever it concerns (a process, a connection); on at most one list at a time.
 */
#pragma once

struct task {
    struct task *next;
    /** Called once, on the worker's own thread, off every list. */
    void (*run)(struct task *task);
};
