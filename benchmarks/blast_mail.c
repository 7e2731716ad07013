/* The ceiling of mail: sends one letter again and again over pipelining connections (RFC 2920), one thread.
 *
 *   blast_mail PORT CONNECTIONS COUNT LETTER
 *
 * LETTER holds headers and body with CRLF, up to a line's end, and is sent as it is, its Message-ID too. Each connection
 * writes MAIL, RCPT and DATA at once, the letter when 354 has come, and together with its end the next envelope.
 * Prints {"posts":N,"seconds":S,"cpu_seconds":C}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char ENVELOPE[] = "MAIL FROM:<news@example.org>\r\nRCPT TO:<person1@example.net>\r\nDATA\r\n";

struct line {
    int fd, writing; /* writing: a letter is on its way and its answer has not come */
    size_t have;
    char in[4096];
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void say(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n <= 0) exit(3);
        text += n, length -= n;
    }
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int port = atoi(argv[1]), connections = atoi(argv[2]), yes = 1;
    long count = atol(argv[3]), begun = 0, ended = 0;
    static char letter[1 << 20];
    FILE *file = fopen(argv[4], "rb");
    size_t size = file ? fread(letter, 1, sizeof letter - 256, file) : 0;
    if (!size) return 1;
    memcpy(letter + size, ".\r\n", 3);
    size_t alone = size + 3, with_next = alone + sizeof ENVELOPE - 1;
    memcpy(letter + alone, ENVELOPE, sizeof ENVELOPE - 1);
    int poll = epoll_create1(0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct line *lines = calloc(connections, sizeof *lines);
    for (int i = 0; i < connections; i++) {
        struct line *one = &lines[i];
        one->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(one->fd, (struct sockaddr *)&where, sizeof where)) return perror("blast_mail"), 1;
        setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        char hello[2048];
        if (recv(one->fd, hello, sizeof hello, 0) <= 0) return 5;
        say(one->fd, "EHLO bench.example.org\r\n", 24);
        if (recv(one->fd, hello, sizeof hello, 0) <= 0) return 5;
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
        epoll_ctl(poll, EPOLL_CTL_ADD, one->fd, &event);
    }
    double start = now();
    for (int i = 0; i < connections && begun < count; i++, begun++) say(lines[i].fd, ENVELOPE, sizeof ENVELOPE - 1);
    struct epoll_event events[256];
    while (ended < count) {
        int n = epoll_wait(poll, events, 256, 5000);
        if (n <= 0) return 4;
        for (int i = 0; i < n; i++) {
            struct line *one = events[i].data.ptr;
            ssize_t got = recv(one->fd, one->in + one->have, sizeof one->in - one->have, 0);
            if (got <= 0) return 5;
            one->have += got;
            char *at = one->in, *end;
            while ((end = memmem(at, one->in + one->have - at, "\r\n", 2))) {
                if (!strncmp(at, "354", 3)) {
                    int next = begun < count;
                    begun += next;
                    one->writing = 1;
                    say(one->fd, letter, next ? with_next : alone);
                } else if (one->writing) { /* the first answer after a letter is the letter's */
                    one->writing = 0;
                    ended++;
                } else if (*at != '2')
                    return 6;
                at = end + 2;
            }
            one->have = one->in + one->have - at;
            memmove(one->in, at, one->have);
        }
    }
    double seconds = now() - start;
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double cpu = use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    printf("{\"posts\":%ld,\"seconds\":%.6f,\"cpu_seconds\":%.3f}\n", ended, seconds, cpu);
    return 0;
}
