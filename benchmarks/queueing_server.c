/* A service whose capacity theory knows: requests queue for so many servers, first come, first served.

   queueing_server SERVERS fixed|exponential MEAN_US [QUEUE]

   Serves on a free port of the loopback interface, which it prints, until its standard input ends. SERVERS 0: no queue,
   every response after MEAN_US, or at once. With QUEUE, a request that finds so many waiting gets status 503.

   One thread: the time at which a response is due is known when its request arrives, since the server that is free first
   takes it. So a late wakeup delays a response, but takes nothing from the capacity. */
#define _GNU_SOURCE
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST_SERVERS = 1024, MOST_DUE = 1 << 20, MOST_CONNECTIONS = 1 << 16, EVENTS = 256 };

struct due {
  int64_t at_ns;
  int connection;
  unsigned use; /* of its number, which another connection has later */
};

static const char ok[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"ok\": true}\n";
static const char busy[] =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"ok\": false}\n";

static int servers, queue;
static int is_exponential;
static double mean_ns;
static int64_t free_at[MOST_SERVERS];
static struct due heap[MOST_DUE + 1]; /* by time; from 1 */
static int waiting;
static unsigned uses[MOST_CONNECTIONS];

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void push(struct due new) {
  int at = ++waiting;
  for (; at > 1 && heap[at / 2].at_ns > new.at_ns; at /= 2)
    heap[at] = heap[at / 2];
  heap[at] = new;
}

static struct due pop(void) {
  struct due first = heap[1], last = heap[waiting--];
  int at = 1;
  for (int child; (child = 2 * at) <= waiting; at = child) {
    if (child < waiting && heap[child + 1].at_ns < heap[child].at_ns)
      child++;
    if (heap[child].at_ns >= last.at_ns)
      break;
    heap[at] = heap[child];
  }
  heap[at] = last;
  return first;
}

static void send_text(int connection, const char *text, size_t length) {
  if (send(connection, text, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return; /* the client has left */
}

static void serve(int connection, int64_t now) {
  double service_ns = is_exponential ? -mean_ns * log(1.0 - drand48()) : mean_ns;
  if (servers == 0 && service_ns == 0) {
    send_text(connection, ok, sizeof ok - 1);
    return;
  }
  if (waiting == MOST_DUE || (queue > 0 && waiting >= servers + queue)) {
    send_text(connection, busy, sizeof busy - 1);
    return;
  }
  int64_t due = now + (int64_t)service_ns;
  if (servers > 0) {
    int first = 0;
    for (int i = 1; i < servers; i++)
      if (free_at[i] < free_at[first])
        first = i;
    due = free_at[first] = (free_at[first] > now ? free_at[first] : now) + (int64_t)service_ns;
  }
  push((struct due){due, connection, uses[connection]});
}

static void watch(int epoll, int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
  epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

static int receive(int connection, int64_t now) { /* whether it is still open */
  char text[65536];
  ssize_t length = recv(connection, text, sizeof text - 1, MSG_DONTWAIT);
  if (length <= 0)
    return 0;
  text[length] = 0;
  for (char *end = text; (end = strstr(end, "\r\n\r\n")); end += 4)
    serve(connection, now);
  return 1;
}

int main(int count, char **values) {
  servers = atoi(values[1]);
  is_exponential = strcmp(values[2], "exponential") == 0;
  mean_ns = atof(values[3]) * 1e3;
  queue = count > 4 ? atoi(values[4]) : 0;
  srand48(time(0) ^ getpid());
  prctl(PR_SET_TIMERSLACK, 1000);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  if (servers > MOST_SERVERS || bind(listener, (void *)&address, length) || listen(listener, 4096))
    return 1;
  getsockname(listener, (void *)&address, &length);
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  watch(epoll, 0);
  watch(epoll, listener);
  watch(epoll, timer);
  struct epoll_event events[EVENTS];
  for (;;) {
    int ready = epoll_wait(epoll, events, EVENTS, -1);
    int64_t now = now_ns();
    for (int i = 0; i < ready; i++) {
      int descriptor = events[i].data.fd;
      if (descriptor == 0)
        return 0; /* nothing is ever written to it */
      if (descriptor == listener) {
        for (int new; (new = accept(listener, 0, 0)) >= 0; watch(epoll, new)) {
          if (new >= MOST_CONNECTIONS)
            return 1;
          setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        }
      } else if (descriptor != timer && !receive(descriptor, now)) {
        uses[descriptor]++;
        close(descriptor);
      }
    }
    while (waiting && heap[1].at_ns <= now_ns()) {
      struct due first = pop();
      if (first.use == uses[first.connection])
        send_text(first.connection, ok, sizeof ok - 1);
    }
    int64_t next = waiting ? heap[1].at_ns : 0;
    struct itimerspec when = {.it_value = {next / 1000000000LL, next % 1000000000LL}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, 0);
  }
}
