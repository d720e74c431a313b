// SPDX-License-Identifier: GPL-2.0-only
/*
 * programs.c - workloads that are Debian's programs: an interpreter, a
 * compiler, a web server with a client here.
 *
 * The server is Apache, as in the paper this bench follows: once with a process
 * for each connection, once with threads. It serves one file over the loopback
 * device to one client at a time, so that nothing depends on who runs when.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "macro.h"

#define PORT 8080
/* Tries to reach a server that is starting, 10 ms apart. */
#define PATIENCE 3000

/* Objects made, linked, looked up, thrown away; /bench/managed.pl. */
void perl(unsigned long n)
{
	char rounds[24];

	snprintf(rounds, sizeof(rounds), "%lu", n);
	wait_for(spawn((const char *const[]){
		"/usr/bin/perl", "/bench/managed.pl", rounds, NULL }));
}

/* A program a file, as make does. */
void compile(unsigned long n)
{
	mkdir("/tmp", 0755);
	while (n--)
		wait_for(spawn((const char *const[]){
			"/usr/bin/tcc", "-nostdinc", "-c", "-o", "/tmp/input.o",
			"/bench/input.c", NULL }));
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		fail("lo");
	close(fd);
}

static int try_connect(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		fail("socket");
	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)))
		return fd;
	close(fd);
	return -1;
}

/* One page fetched; the server closes the connection. */
static void fetch(int fd)
{
	static const char request[] = "GET /page.html HTTP/1.0\r\n\r\n";
	static char reply[8192];
	ssize_t got, all = 0;

	if (write(fd, request, sizeof(request) - 1) < 0)
		fail("request");
	while ((got = read(fd, reply + all, sizeof(reply) - 1 - all)) > 0)
		all += got;
	close(fd);
	reply[all] = 0;
	if (strncmp(reply, "HTTP/1.1 200", 12) || !strstr(reply, "</html>")) {
		printf("macro: the web server says: %.200s\n", reply);
		errno = EBADMSG;
		fail("reply");
	}
}

void web(unsigned long n)
{
	while (n--) {
		int fd = try_connect();

		if (fd < 0)
			fail("connect");
		fetch(fd);
	}
}

static pid_t server;

static void serve(const char *configuration)
{
	loopback_up();
	mkdir("/tmp", 0755);
	/* Its parent answers for it: daemons of its own would outlive it. */
	server = spawn((const char *const[]){
		"/usr/sbin/apache2", "-DFOREGROUND", "-f", configuration,
		NULL });
	for (int i = 0; i < PATIENCE; i++) {
		int fd = try_connect();

		if (fd >= 0) {
			fetch(fd);
			return;
		}
		usleep(10000);
	}
	fail("the web server does not answer");
}

void web_processes_start(void)
{
	serve("/bench/processes.conf");
}

void web_threads_start(void)
{
	serve("/bench/threads.conf");
}

void web_stop(void)
{
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	/* Its children are ours now. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
