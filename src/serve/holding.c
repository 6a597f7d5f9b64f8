#include "serve/holding.h"

void holding_tell(struct holding *holding, long long bytes)
{
    if (holding->sum == NULL) {
        return;
    }
    /* Who replaces `told` answers for the difference, so none is told twice. */
    long long before = atomic_exchange_explicit(&holding->told, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&holding->sum->bytes, bytes - before, memory_order_relaxed);
}
