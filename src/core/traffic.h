/**
 * @file
 * What one process was sent and read, and what it sent: for accounts, limits are elsewhere.
 *
 * Threads: the owner counts, any thread reads.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/** Messages, calls, replies and frames; no news of the platform (exits, timers). Bytes: of their bodies. */
struct traffic {
    atomic_uint_least64_t received, received_bytes;
    atomic_uint_least64_t sent, sent_bytes;
};

/** A copy of it. */
struct traffic_counts {
    uint64_t received, received_bytes;
    uint64_t sent, sent_bytes;
};

/* Relaxed throughout: counts for readers. */
static inline void traffic_add(atomic_uint_least64_t *count, uint64_t more)
{
    uint64_t now = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, now + more, memory_order_relaxed);
}

/** One was read. Owner. */
static inline void traffic_received(struct traffic *traffic, uint64_t size_bytes)
{
    traffic_add(&traffic->received, 1);
    traffic_add(&traffic->received_bytes, size_bytes);
}

/** So many of that size were sent. Owner. */
static inline void traffic_sent(struct traffic *traffic, uint64_t messages, uint64_t size_bytes)
{
    traffic_add(&traffic->sent, messages);
    traffic_add(&traffic->sent_bytes, messages * size_bytes);
}

/** Any thread. */
static inline struct traffic_counts traffic_read(const struct traffic *traffic)
{
    return (struct traffic_counts){
        .received = atomic_load_explicit(&traffic->received, memory_order_relaxed),
        .received_bytes = atomic_load_explicit(&traffic->received_bytes, memory_order_relaxed),
        .sent = atomic_load_explicit(&traffic->sent, memory_order_relaxed),
        .sent_bytes = atomic_load_explicit(&traffic->sent_bytes, memory_order_relaxed)};
}
