/* What a fork server cannot be faster than: fork and _exit of a tiny process, and wait, so many at a time. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    long at_once = atol(argv[1]), count = atol(argv[2]), running = 0;
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (long started = 0; started < count; started++) {
        if (running == at_once) {
            if (wait(0) < 0) return 1;
            running--;
        }
        pid_t pid = fork();
        if (pid == 0) _exit(0);
        if (pid < 0) return 1;
        running++;
    }
    while (running-- > 0)
        if (wait(0) < 0) return 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%f\n", count / ((end.tv_sec - begin.tv_sec) + (end.tv_nsec - begin.tv_nsec) / 1e9));
    return 0;
}
