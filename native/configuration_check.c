/* Has the configured Python check the configuration before Orthanc opens its ports. Python has all the rules, and runs in a
   process of its own, since it may not be started in this one yet (interpreter.c). */

#define _GNU_SOURCE /* memfd_create, pipe2 */

#include "davfs.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

/* Returns a descriptor from which `text` can be read, or -1. */
static int readable(const char* text)
{
  int file = memfd_create("davfs", MFD_CLOEXEC);
  size_t size = strlen(text), done = 0;
  while (file >= 0 && done < size)
  {
    ssize_t written = write(file, text + done, size - done);
    if (written <= 0)
    {
      close(file);
      return -1;
    }
    done += (size_t) written;
  }
  if (file >= 0)
  {
    lseek(file, 0, SEEK_SET);
  }
  return file;
}

static void read_line(int from, char* line, size_t size)
{
  size_t length = 0;
  ssize_t got;
  while (length + 1 < size && ((got = read(from, line + length, size - 1 - length)) > 0 || (got < 0 && errno == EINTR)))
  {
    length += got > 0 ? (size_t) got : 0;
  }
  line[length] = '\0';
  line[strcspn(line, "\n")] = '\0';
}

static int run(const char* python, const char* path, int input, char* line, size_t size)
{
  char* arguments[] = {(char*) python, "-I", "-m", "davfs.running.check", (char*) path, NULL};
  posix_spawn_file_actions_t actions;
  int output[2], status = -1;
  pid_t child;
  if (pipe2(output, O_CLOEXEC) != 0)
  {
    return -1;
  }
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  int failed = posix_spawn(&child, python, &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(output[1]);
  if (failed == 0)
  {
    read_line(output[0], line, size);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    {
    }
  }
  close(output[0]);
  return failed == 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int davfs_check_configuration(const char* python, const char* configuration, const char* path, char* reason, size_t size)
{
  int input = readable(configuration);
  if (input < 0)
  {
    return 0; /* not possible now; davfs.running.plugin.start() checks the same again */
  }
  reason[0] = '\0';
  int status = run(python, path, input, reason, size);
  close(input);
  if (status != 0 && reason[0] == '\0')
  {
    snprintf(reason, size,
             "Davfs.Python is '%s', which cannot run this plugin: install it in a virtual environment of that Python, or "
             "make it anew with `make plugin`",
             python);
  }
  return status == 0 ? 0 : -1;
}
