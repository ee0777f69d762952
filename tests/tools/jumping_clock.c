/* Preloaded, it sets the wall clock hours ahead or behind, after every CLOCK_JUMPS seconds.
   Not for PostgreSQL, whose pg_sleep() counts on the wall clock: an hour back in its 20 ms, and it sleeps an hour. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static double jumps_after = 0; /* 0: the clock is as it is */

__attribute__((constructor)) static void begin(void) {
    const char *jumps = getenv("CLOCK_JUMPS");
    if (jumps && strcmp(program_invocation_short_name, "postgres")) jumps_after = atof(jumps);
}

int clock_gettime(clockid_t id, struct timespec *now) {
    static const long shifts[] = {0, 3600, -3600, 7200, -7200};
    struct timespec steady;
    if (syscall(SYS_clock_gettime, id, now)) return -1;
    if (id == CLOCK_REALTIME && jumps_after > 0) {
        syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &steady);
        now->tv_sec += shifts[(long)((steady.tv_sec + steady.tv_nsec / 1e9) / jumps_after) % 5];
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
