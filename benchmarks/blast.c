/* The ceiling: posts requests that sink.c kept, as fast as one thread can, each connection waiting for its answer.
 *
 *   blast PORT CONNECTIONS COUNT FILE
 *
 * Prints {"posts":N,"seconds":S,"cpu_seconds":C}. The requests are sent again and again in their order.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct request {
    char *text;
    uint32_t length;
};

static struct request *requests;
static size_t kept;
static long sent, ended;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void post(int fd) {
    struct request *one = &requests[sent++ % kept];
    size_t done = 0;
    while (done < one->length) {
        ssize_t n = send(fd, one->text + done, one->length - done, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (n <= 0) exit(3);
        done += n;
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int port = atoi(argv[1]), connections = atoi(argv[2]), yes = 1;
    long count = atol(argv[3]);
    FILE *file = fopen(argv[4], "rb");
    uint32_t length;
    while (file && fread(&length, 4, 1, file) == 1) {
        requests = realloc(requests, (kept + 1) * sizeof *requests);
        requests[kept] = (struct request){malloc(length), length};
        if (fread(requests[kept].text, 1, length, file) != length) return 1;
        kept++;
    }
    if (!kept) return 1;
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, events[256];
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int *fds = malloc(connections * sizeof *fds);
    for (int i = 0; i < connections; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fds[i], (struct sockaddr *)&where, sizeof where)) return perror("blast"), 1;
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        event.data.fd = fds[i];
        epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &event);
    }
    double begun = now();
    for (int i = 0; i < connections && sent < count; i++) post(fds[i]);
    char in[16384];
    while (ended < count) {
        int n = epoll_wait(poll, events, 256, 5000);
        if (n <= 0) return 4;
        for (int i = 0; i < n; i++) { /* an answer is small and comes in one piece */
            if (recv(events[i].data.fd, in, sizeof in, 0) <= 0) return 5;
            ended++;
            if (sent < count) post(events[i].data.fd);
        }
    }
    double seconds = now() - begun;
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double cpu = use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    printf("{\"posts\":%ld,\"seconds\":%.6f,\"cpu_seconds\":%.3f}\n", ended, seconds, cpu);
    return 0;
}
