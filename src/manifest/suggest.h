/**
 * @file
 * "Did you mean ...?": the candidate that a slip of the fingers may have turned into what is there.
 *
 * Distance: insertions, deletions, substitutions and swaps of neighbours (optimal string alignment);
 * letter case and '_' for '-' cost nothing. Pure.
 */
#pragma once

#include "base/base.h"

/** One search. Fill with suggestion_begin(), then offer every candidate; `best` is NULL or the answer. */
struct suggestion {
    const char *wrong; /**< Borrowed. */
    const char *best;  /**< Borrowed from whoever offered it. */
    size_t distance;   /**< A candidate must be nearer than this. */
};

/** Start a search for what `wrong` may have been: at most a third of its characters may differ. */
struct suggestion suggestion_begin(const char *wrong);

/** Consider one candidate. Of equally near ones the first stays. */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);
