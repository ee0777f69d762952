/* Preloaded, it sets the wall clock an hour ahead, back, behind, back, …, after every CLOCK_JUMPS seconds.
   Not for PostgreSQL, whose pg_sleep() counts on the wall clock: an hour back in its 20 ms, and it sleeps an hour. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *now) {
    static const long shifts[] = {0, 3600, 0, -3600};
    if (syscall(SYS_clock_gettime, id, now)) return -1;
    if (id == CLOCK_REALTIME && strcmp(program_invocation_short_name, "postgres")) {
        const char *jumps = getenv("CLOCK_JUMPS");
        struct timespec steady;
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &steady);
        double seconds = steady.tv_sec + steady.tv_nsec / 1e9;
        now->tv_sec += shifts[(long)(seconds / (jumps ? atof(jumps) : 1)) % 4];
    }
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &exact)) return -1;
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (result) *result = exact.tv_sec;
    return exact.tv_sec;
}
