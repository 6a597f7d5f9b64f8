#include "guest/capacity.h"

#include "base/bytes.h"
#include "base/number.h"

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MAPPINGS_PER_STACK = 2,
    MAPPINGS_PER_MEMORY = 4,
    /* What a parked process of the smallest kind is planned to keep resident. */
    RESIDENT_PER_PROCESS = 13 * 1024,
};

enum pool_class capacity_class(uint64_t initial_bytes, uint64_t ceiling_bytes)
{
    bool small = initial_bytes <= CAPACITY_SMALL_INITIAL_MAX &&
                 ceiling_bytes <= CAPACITY_SMALL_RESERVATION;
    return small ? POOL_SMALL : POOL_LARGE;
}

static uint64_t reservation(enum pool_class cls)
{
    return cls == POOL_SMALL ? CAPACITY_SMALL_RESERVATION : CAPACITY_LARGE_RESERVATION;
}

/* Mappings that `fibers` slots in every worker's engine of a class may come to. */
static uint64_t mappings_of(const struct capacity_need *need)
{
    return MAPPINGS_PER_STACK + (uint64_t)MAPPINGS_PER_MEMORY * need->memories;
}

/* Then no product of it with a number of fibers or a reservation leaves its type. */
static bool within_parts(const struct capacity_need *need)
{
    return need->memories <= CAPACITY_PARTS_MAX && need->tables <= CAPACITY_PARTS_MAX &&
           need->core_instances <= CAPACITY_PARTS_MAX;
}

/* Of 16 slots the large class gets 3 when both are in use: its processes are few and heavy. */
static unsigned share_of_16(const struct capacity_need needs[POOL_CLASSES], enum pool_class cls)
{
    if (!needs[cls].used) {
        return 0;
    }
    if (!needs[cls == POOL_SMALL ? POOL_LARGE : POOL_SMALL].used) {
        return 16;
    }
    return cls == POOL_SMALL ? 13 : 3;
}

static void lower(uint64_t *fibers, uint64_t bound, const char **limited_by, const char *name)
{
    if (bound < *fibers) {
        *fibers = bound;
        *limited_by = name;
    }
}

bool capacity_plan(const struct capacity_limits *limits,
                   const struct capacity_need needs[POOL_CLASSES], unsigned workers,
                   uint32_t max_processes, struct capacity_plan *ret, struct err *err)
{
    *ret = (struct capacity_plan){.limited_by = "the largest pool",
                                  .processes_wanted = max_processes};
    uint64_t mappings = limits->mappings > CAPACITY_MAPPINGS_RESERVE
                            ? limits->mappings - CAPACITY_MAPPINGS_RESERVE
                            : 0;
    for (enum pool_class cls = 0; cls < POOL_CLASSES; cls++) {
        unsigned share = share_of_16(needs, cls);
        if (share == 0) {
            continue;
        }
        if (!within_parts(&needs[cls])) {
            return err_set(
                err, ERR_LIMIT,
                "one instance of a component takes more than %d memories, tables or core "
                "instances",
                CAPACITY_PARTS_MAX);
        }
        uint64_t fibers = CAPACITY_FIBERS_MAX;
        lower(&fibers, limits->memory_bytes / RESIDENT_PER_PROCESS / workers * share / 16,
              &ret->limited_by, "physical memory");
        lower(&fibers, mappings / 16 * share / mappings_of(&needs[cls]) / workers, &ret->limited_by,
              "vm.max_map_count");
        lower(&fibers,
              limits->address_bytes / 2 / 16 * share / (reservation(cls) * needs[cls].memories) /
                  workers,
              &ret->limited_by, "the address space limit (ulimit -v)");
        /* The processor's 47 bits of address space, half of them left for everything else. */
        lower(&fibers,
              (UINT64_C(1) << 46) / 16 * share / (reservation(cls) * needs[cls].memories) / workers,
              &ret->limited_by, "the processor's address space");
        if (fibers < CAPACITY_FIBERS_MIN) {
            return err_set(err, ERR_LIMIT,
                           "%s leaves room for %u processes only: raise it (sysctl -w "
                           "vm.max_map_count=1048576, ulimit -v unlimited) or start fewer workers",
                           ret->limited_by, (unsigned)(fibers * workers));
        }
        if (max_processes != 0) {
            /* Any worker may come to hold nearly all of them before the others fill up. */
            uint64_t bound = (uint64_t)max_processes;
            lower(&fibers, bound > CAPACITY_FIBERS_MIN ? bound : CAPACITY_FIBERS_MIN,
                  &ret->limited_by, "max-processes");
        }
        ret->fibers[cls] = (uint32_t)fibers;
        ret->processes += (uint32_t)fibers * workers;
    }
    if (max_processes != 0 && ret->processes > max_processes) {
        ret->processes = max_processes;
        ret->limited_by = "max-processes";
    }
    return true;
}

static uint64_t raise_own(int resource)
{
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) != 0) {
        return UINT64_MAX;
    }
    if (limit.rlim_cur != limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit((__rlimit_resource_t)resource, &limit);
        (void)getrlimit((__rlimit_resource_t)resource, &limit);
    }
    return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : (uint64_t)limit.rlim_cur;
}

void capacity_read_limits(struct capacity_limits *ret)
{
    *ret = (struct capacity_limits){
        .mappings = 65530, /* the kernel's default, where /proc is not mounted */
        .address_bytes = raise_own(RLIMIT_AS),
        .descriptors = raise_own(RLIMIT_NOFILE),
        .memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE),
    };
    AUTO(bytes_finip) struct bytes text = {0};
    struct err ignored = {0};
    if (bytes_read_file(&text, "/proc/sys/vm/max_map_count", 64, &ignored)) {
        size_t size = text.size;
        while (size > 0 && text.data[size - 1] == '\n') {
            size--;
        }
        uint64_t value = 0;
        if (number_parse((const char *)text.data, size, UINT64_MAX, &value)) {
            ret->mappings = value;
        }
    }
}
