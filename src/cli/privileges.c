#include "cli/privileges.h"

#include "base/log.h"
#include "base/number.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME_BYTES = 65 };

struct identity {
    uid_t user;
    gid_t group;
    bool named; /* the user has a name, and so perhaps other groups */
    char name[NAME_BYTES];
};

void privileges_keep_down(void)
{
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static bool copy_part(const char *from, size_t size, char ret[NAME_BYTES])
{
    if (size == 0 || size >= NAME_BYTES) {
        return false;
    }
    memcpy(ret, from, size);
    ret[size] = '\0';
    return true;
}

static bool find_user(const char *name, struct identity *ret)
{
    uint64_t number;
    const struct passwd *entry = getpwnam(name);
    if (entry == NULL && number_parse(name, strlen(name), UINT32_MAX - 1, &number)) {
        entry = getpwuid((uid_t)number);
        if (entry == NULL) {
            ret->user = (uid_t)number;
            ret->group = (gid_t)number;
            return true;
        }
    }
    if (entry == NULL || !copy_part(entry->pw_name, strlen(entry->pw_name), ret->name)) {
        return false;
    }
    ret->named = true;
    ret->user = entry->pw_uid;
    ret->group = entry->pw_gid;
    return true;
}

static bool find_group(const char *name, gid_t *ret)
{
    uint64_t number;
    const struct group *entry = getgrnam(name);
    if (entry != NULL) {
        *ret = entry->gr_gid;
        return true;
    }
    if (!number_parse(name, strlen(name), UINT32_MAX - 1, &number)) {
        return false;
    }
    *ret = (gid_t)number;
    return true;
}

static bool find(const char *text, struct identity *ret, struct err *err)
{
    char name[NAME_BYTES];
    const char *colon = strchr(text, ':');
    *ret = (struct identity){0};
    if (!copy_part(text, colon == NULL ? strlen(text) : (size_t)(colon - text), name) ||
        !find_user(name, ret)) {
        return err_set(err, ERR_NOT_FOUND, "'user': there is no user '%.64s' on this machine",
                       text);
    }
    if (colon != NULL &&
        (!copy_part(colon + 1, strlen(colon + 1), name) || !find_group(name, &ret->group))) {
        return err_set(err, ERR_NOT_FOUND, "'user': there is no group '%.64s' on this machine",
                       colon + 1);
    }
    return true;
}

bool privileges_check(const char *user, struct err *err)
{
    struct identity identity;
    if (user == NULL) {
        return true;
    }
    if (!find(user, &identity, err)) {
        return false;
    }
    return geteuid() == 0 || geteuid() == identity.user ||
           err_set(err, ERR_DENIED,
                   "'user': only root can become '%.64s'; start mote as root, or as "
                   "that user",
                   user);
}

/* Of this thread, and so of those that it starts. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &header, none) == 0;
}

static bool become(const struct identity *identity)
{
    if (geteuid() != 0) {
        return true; /* that user already: privileges_check() has seen to it */
    }
    int failed = identity->named ? initgroups(identity->name, identity->group)
                                 : setgroups(1, &identity->group);
    /* The C library has every thread do it. */
    return failed == 0 && setresgid(identity->group, identity->group, identity->group) == 0 &&
           setresuid(identity->user, identity->user, identity->user) == 0;
}

bool privileges_drop(const char *user, struct err *err)
{
    struct identity identity;
    if (user == NULL) {
        return true;
    }
    if (!find(user, &identity, err) || !privileges_check(user, err)) {
        return false;
    }
    if (!become(&identity) || !drop_capabilities()) {
        return err_set_os(err, errno, "become user '%.64s'", user);
    }
    if (identity.user != 0 && (setuid(0) == 0 || geteuid() == 0)) {
        return err_set(err, ERR_DENIED, "root's rights are still there");
    }
    /* What the kernel took away with the change of the user, and what is the same for a program that this
     * user has started: to look at its own /proc/self. */
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    log_printf(LOG_INFO, "the rights of user '%.64s' from now on", user);
    return true;
}
