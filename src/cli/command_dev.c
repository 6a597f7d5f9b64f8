#include "cli/command.h"
#include "cli/dev.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* So long nothing more must change before it is built: who saves several files saves them one after the other. */
enum { QUIET_MS = 60 };

static void print_help(void)
{
    puts("usage: mote dev [--listen ADDRESS]... [FOLDER]\n\n"
         "Builds the app of FOLDER (default: here), serves it, and builds again whenever one of "
         "its\n"
         "files changes. The node takes the new code while it runs: requests and WebSockets that "
         "have\n"
         "begun end on the old one. A new manifest is taken by a new node, as by `mote reload`.\n"
         "Errors are said here, and browsers get them as a page, until they are gone.\n\n"
         "  --listen ADDRESS  as for `mote serve`");
}

/* False: it is to end. */
static bool wait_for_change(struct dev *dev)
{
    struct changes changes = {0};
    while (!dev->stopped) {
        struct pollfd wait[] = {{.fd = dev->stop_fd, .events = POLLIN},
                                {.fd = dev->watch.fd, .events = POLLIN},
                                {.fd = dev->node.pid_fd, .events = POLLIN},
                                {.fd = dev->leaving.pid_fd, .events = POLLIN}};
        int ready = poll(wait, ARRAY_LENGTH(wait), changes.any ? QUIET_MS : -1);
        if (ready == 0) {
            return true;
        }
        if (wait[0].revents != 0) {
            return false;
        }
        watch_take(&dev->watch, &changes);
        dev->manifest_changed = dev->manifest_changed || changes.manifest;
        if (wait[2].revents != 0) {
            dev_node_ended(dev);
        }
        if (wait[3].revents != 0) {
            int status;
            (void)program_wait(&dev->leaving, -1, 0, &status);
        }
    }
    return false;
}

static void run(struct dev *dev)
{
    bool told = false;
    do {
        dev_apply(dev);
        if (dev->watch.crowded && !told) {
            fprintf(stderr, "dev: there are more folders than can be watched: changes in some are "
                            "not noticed\n");
            told = true;
        }
    } while (wait_for_change(dev));
    struct signalfd_siginfo info;
    (void)!read(dev->stop_fd, &info, sizeof info); /* a second one ends the node at once */
    program_end(&dev->node, dev->stop_fd, 3000);
    puts("dev: stopped");
}

int command_dev(int argc, char **argv)
{
    static const struct option longs[] = {
        {"listen", required_argument, NULL, 'l'}, {"help", no_argument, NULL, 'h'}, {0}};
    struct dev *dev = calloc(1, sizeof *dev);
    struct err err = {0};
    if (dev == NULL) {
        fputs("mote dev: out of memory\n", stderr);
        return STATUS_FAILED;
    }
    dev->folder = ".";
    for (int option; (option = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        if (option == 'h') {
            print_help();
            free(dev);
            return STATUS_OK;
        }
        if (option != 'l' || dev->listen_count == DEV_LISTENERS_MAX) {
            free(dev);
            return option == 'l' ? usage_error("dev", "more than %d listeners", DEV_LISTENERS_MAX)
                                 : STATUS_USAGE;
        }
        dev->listen[dev->listen_count++] = optarg;
    }
    if (argc - optind > 1) {
        free(dev);
        return usage_error("dev", "one FOLDER");
    }
    dev->folder = optind < argc ? argv[optind] : ".";
    dev->stop_fd = -1;
    bool good = dev_open(dev, &err);
    if (good) {
        run(dev);
    } else {
        fprintf(stderr, "mote dev: %s\n", err.text);
    }
    dev_close(dev);
    free(dev);
    return good ? STATUS_OK : STATUS_FAILED;
}
