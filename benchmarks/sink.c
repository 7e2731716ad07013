/* A provider that takes everything: HTTP/1.1 with kept connections, one thread, epoll.
 *
 *   sink [--port N] [--latency-ms N] [--keep FILE] [--keep-count N]
 *
 * The first line of output is {"port": N}. Every POST is taken and answered as Telegram's sendMessage (a path that
 * starts with /bot), as Twilio's Messages.json (a path with /Messages), or with {"ok":true}. It counts posts, different
 * recipients (chat_id, To) and different bodies; GET /stats tells, and so does SIGTERM on standard output.
 * With --keep the first requests are written to FILE, whole, each behind its length as four bytes, for blast.c.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 65536
#define IN_MAX 65536

struct conn {
    int open;
    unsigned life; /* grows with every use of the descriptor: a late answer must not reach a stranger */
    size_t have;
    char in[IN_MAX];
};
struct late {
    double due;
    int fd;
    unsigned life;
    size_t length;
    char text[256];
};
struct set {
    uint64_t *slots;
    size_t size, used;
};

static struct conn *conns[MAX_FD];
static struct late *queue;
static size_t queue_size, queue_head, queue_used;
static struct set recipients, bodies;
static uint64_t posts, malformed, connections;
static double latency, first_at, last_at;
static FILE *keep;
static long keep_left = 2000;
static volatile sig_atomic_t stopping;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t hash(const char *text, size_t length) {
    uint64_t h = 14695981039346656037ull;
    for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)text[i]) * 1099511628211ull;
    h ^= h >> 32;
    return h ? h : 1;
}

static void add(struct set *set, uint64_t key) {
    if (set->used * 2 >= set->size) {
        struct set bigger = {calloc(set->size ? set->size * 2 : 1 << 16, 8), set->size ? set->size * 2 : 1 << 16, 0};
        for (size_t i = 0; i < set->size; i++)
            if (set->slots[i]) add(&bigger, set->slots[i]);
        free(set->slots);
        *set = bigger;
    }
    size_t at = (key * 0x9E3779B97F4A7C15ull) & (set->size - 1);
    while (set->slots[at] && set->slots[at] != key) at = (at + 1) & (set->size - 1);
    if (!set->slots[at]) {
        set->slots[at] = key;
        set->used++;
    }
}

static int stats(char *out, size_t room) {
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double cpu = use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    return snprintf(out, room,
                    "{\"posts\":%llu,\"unique_recipients\":%zu,\"unique_bodies\":%zu,\"malformed\":%llu,"
                    "\"connections\":%llu,\"seconds\":%.6f,\"cpu_seconds\":%.3f}",
                    (unsigned long long)posts, recipients.used, bodies.used, (unsigned long long)malformed,
                    (unsigned long long)connections, last_at - first_at, cpu);
}

static void hang_up(int fd) {
    if (conns[fd] && conns[fd]->open) {
        conns[fd]->open = 0;
        conns[fd]->life++;
        close(fd);
    }
}

static void write_all(int fd, const char *text, size_t length) {
    while (length) {
        ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (sent <= 0) {
            hang_up(fd);
            return;
        }
        text += sent;
        length -= sent;
    }
}

static void answer(int fd, int status, const char *body, int later) {
    char out[1024];
    int length = snprintf(out, sizeof out, "HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          status, strlen(body), body);
    if (!later || latency <= 0) {
        write_all(fd, out, length);
        return;
    }
    if (queue_used == queue_size) {
        size_t size = queue_size ? queue_size * 2 : 1024;
        struct late *bigger = malloc(size * sizeof *bigger);
        for (size_t i = 0; i < queue_used; i++) bigger[i] = queue[(queue_head + i) % queue_size];
        free(queue);
        queue = bigger, queue_size = size, queue_head = 0;
    }
    struct late *one = &queue[(queue_head + queue_used++) % queue_size];
    one->due = now() + latency, one->fd = fd, one->life = conns[fd]->life;
    one->length = (size_t)length < sizeof one->text ? (size_t)length : sizeof one->text;
    memcpy(one->text, out, one->length);
}

static void answer_late(void) {
    double at = now();
    while (queue_used && queue[queue_head].due <= at) {
        struct late *one = &queue[queue_head];
        if (conns[one->fd]->open && conns[one->fd]->life == one->life) write_all(one->fd, one->text, one->length);
        queue_head = (queue_head + 1) % queue_size, queue_used--;
    }
}

/* The recipient stands behind "chat_id": or To= ; without either the whole body stands for it. */
static void take(int fd, const char *path, const char *request, size_t whole, const char *body, size_t length) {
    char text[256], id[64] = "0";
    const char *start = memmem(body, length, "\"chat_id\":", 10);
    const char *to = memmem(body, length, "To=", 3);
    const char *end = body + length, *from = start ? start + 10 : to ? to + 3 : NULL;
    size_t n = 0;
    if (from) {
        while (from < end && n < sizeof id - 1 && *from != ',' && *from != '}' && *from != '&') id[n++] = *from++;
        id[n] = 0;
    }
    double at = now();
    if (!posts) first_at = at;
    last_at = at;
    posts++;
    add(&recipients, from ? hash(id, n) : hash(body, length));
    add(&bodies, hash(body, length));
    if (keep && keep_left-- > 0) {
        uint32_t size = whole;
        fwrite(&size, 4, 1, keep);
        fwrite(request, 1, whole, keep);
    }
    if (!strncmp(path, "/bot", 4)) {
        snprintf(text, sizeof text, "{\"ok\":true,\"result\":{\"message_id\":%llu,\"date\":1,\"chat\":{\"id\":%s,\"type\":\"private\"}}}",
                 (unsigned long long)posts, start ? id : "1");
        answer(fd, 200, text, 1);
    } else if (strstr(path, "/Messages")) {
        snprintf(text, sizeof text, "{\"sid\":\"SM%032llx\",\"status\":\"queued\"}", (unsigned long long)posts);
        answer(fd, 201, text, 1);
    } else
        answer(fd, 200, "{\"ok\":true}", 1);
}

/* Answer every whole request in the buffer; return 0 to hang up. */
static int serve(int fd, struct conn *c) {
    size_t at = 0;
    while (c->have > at) {
        char *start = c->in + at, *head = memmem(start, c->have - at, "\r\n\r\n", 4);
        if (!head) break;
        size_t body_at = head + 4 - start, length = 0;
        for (char *line = start; line < head; line = strchr(line, '\n') + 1)
            if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
        if (body_at + length > c->have - at) {
            if (body_at + length >= IN_MAX) return 0;
            break;
        }
        char path[256] = "";
        sscanf(start, "%*15s %255s", path);
        if (strstr(path, "/getUpdates"))
            answer(fd, 200, "{\"ok\":true,\"result\":[]}", 0);
        else if (!strncmp(start, "POST ", 5))
            take(fd, path, start, body_at + length, start + body_at, length);
        else if (!strncmp(start, "HEAD ", 5))
            write_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 38);
        else if (!strncmp(start, "GET /stats", 10)) {
            char text[512];
            stats(text, sizeof text);
            answer(fd, 200, text, 0);
        } else {
            malformed++;
            return 0;
        }
        if (!c->open) return 1;
        at += body_at + length;
    }
    memmove(c->in, c->in + at, c->have - at);
    c->have -= at;
    c->in[c->have] = 0;
    return c->have < IN_MAX - 1;
}

static void stop(int number) {
    (void)number;
    stopping = 1;
}

int main(int argc, char **argv) {
    int port = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
        else if (!strcmp(argv[i], "--latency-ms")) latency = atof(argv[i + 1]) / 1000;
        else if (!strcmp(argv[i], "--keep")) keep = fopen(argv[i + 1], "wb");
        else if (!strcmp(argv[i], "--keep-count")) keep_left = atol(argv[i + 1]);
        else return 2;
    }
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    if (bind(door, (struct sockaddr *)&where, size) || listen(door, 4096)) return perror("sink"), 1;
    getsockname(door, (struct sockaddr *)&where, &size);
    printf("{\"port\":%d}\n", ntohs(where.sin_port));
    fflush(stdout);
    int poll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door}, events[256];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
    while (!stopping) {
        int wait = 500;
        if (queue_used) {
            double left = (queue[queue_head].due - now()) * 1000;
            wait = left <= 0 ? 0 : left < 500 ? (int)left + 1 : 500;
        }
        int n = epoll_wait(poll, events, 256, wait);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == door) {
                while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (fd >= MAX_FD) {
                        close(fd);
                        continue;
                    }
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                    if (!conns[fd]) conns[fd] = calloc(1, sizeof **conns);
                    conns[fd]->open = 1, conns[fd]->have = 0;
                    connections++;
                    event.events = EPOLLIN, event.data.fd = fd;
                    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
                }
                continue;
            }
            struct conn *c = conns[fd];
            ssize_t got = recv(fd, c->in + c->have, IN_MAX - 1 - c->have, 0);
            if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
            if (got <= 0) {
                hang_up(fd);
                continue;
            }
            c->have += got;
            c->in[c->have] = 0;
            if (!serve(fd, c)) hang_up(fd);
        }
        if (queue_used) answer_late();
    }
    if (keep) fclose(keep);
    char text[512];
    stats(text, sizeof text);
    puts(text);
    return 0;
}
