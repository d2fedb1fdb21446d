// A clock for the programs under test: LD_PRELOAD lays it over the C library's. It goes faster than the machine's, and
// somebody else may put it forward, so that what waits for hours is tested in seconds. The file that PATCHFLEET_CLOCK
// names holds four numbers: the machine's monotonic time and the time of day when it began, how far the time of day was put
// forward since, all in nanoseconds, and how many times as fast it goes.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct shared { int64_t began, day, forward, speed; };
static const volatile struct shared *shared;

static int64_t nanoseconds(const struct timespec *at) { return at->tv_sec * INT64_C(1000000000) + at->tv_nsec; }

__attribute__((constructor)) static void find(void) {
    const char *path = getenv("PATCHFLEET_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(0, sizeof *shared, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED) shared = mapped;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    int of_day = id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
    int steady = id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME;
    if (!shared || !(of_day || steady)) return syscall(SYS_clock_gettime, id, at);
    if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, at)) return -1;
    int64_t gone = (nanoseconds(at) - shared->began) * shared->speed;
    int64_t now = of_day ? shared->day + gone + shared->forward : shared->began + gone;
    at->tv_sec = now / 1000000000;
    at->tv_nsec = now % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

// Whoever waits so long on this clock waits less on the machine's.
static int shorter(int milliseconds) {
    if (!shared || milliseconds <= 0) return milliseconds;
    return (milliseconds + shared->speed - 1) / shared->speed;
}

int epoll_pwait(int poll, struct epoll_event *events, int most, int timeout, const sigset_t *signals) {
    return syscall(SYS_epoll_pwait, poll, events, most, shorter(timeout), signals, 8);
}

int epoll_wait(int poll, struct epoll_event *events, int most, int timeout) {
    return epoll_pwait(poll, events, most, timeout, 0);
}
