/* The queue of instances that were held, from the filters to Python, which writes them into the inbox.

   A filter must not wait for a disk. What there is no room for is left out: its sender was refused, and still has it. */

#include "davfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MOST 1024           /* instances */
#define MOST_BYTES (256u << 20)

typedef struct queued
{
  struct queued* next;
  davfs_held held;
} queued;

static queued *first = NULL, *last = NULL;
static size_t count = 0, bytes = 0;
static int lost = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;

static queued* of_held(davfs_held* held)
{
  return (queued*) ((char*) held - offsetof(queued, held));
}

/* Counts an instance in advance. Returns how many bytes of its file there is room for: all, or none; -1 if there is none for
   the instance. */
static int64_t reserve(size_t size)
{
  pthread_mutex_lock(&mutex);
  int64_t room = count >= MOST ? -1 : size <= MOST_BYTES - bytes ? (int64_t) size : 0;
  if (room >= 0)
  {
    count++;
    bytes += (size_t) room;
  }
  lost += room < (int64_t) size;
  pthread_mutex_unlock(&mutex);
  return room;
}

static void release(size_t size)
{
  pthread_mutex_lock(&mutex);
  count--;
  bytes -= size;
  pthread_mutex_unlock(&mutex);
}

static void append(queued* made)
{
  pthread_mutex_lock(&mutex);
  *(last ? &last->next : &first) = made;
  last = made;
  pthread_cond_signal(&arrived);
  pthread_mutex_unlock(&mutex);
}

int davfs_add_held(const davfs_identity* identity, const char* sender, const char* known, size_t length, const void* file,
                   size_t size)
{
  int64_t room = reserve(file ? size : 0);
  queued* made = room >= 0 ? malloc(sizeof(queued) + length + (size_t) room) : NULL;
  if (made == NULL)
  {
    if (room >= 0)
    {
      release((size_t) room);
    }
    return 0;
  }
  made->next = NULL;
  made->held.identity = *identity;
  memset(made->held.sender, 0, sizeof(made->held.sender));
  strncpy(made->held.sender, sender, sizeof(made->held.sender) - 1);
  made->held.known = length;
  made->held.size = (size_t) room;
  memcpy(made->held.bytes, known, length);
  memcpy(made->held.bytes + length, room > 0 ? file : "", (size_t) room);
  append(made);
  return (size_t) room == size;
}

static queued* take(void)
{
  queued* found = first;
  if (found != NULL)
  {
    first = found->next;
    last = first ? last : NULL;
  }
  return found;
}

davfs_held* davfs_next_held(int milliseconds)
{
  struct timespec until = davfs_after(milliseconds);
  pthread_mutex_lock(&mutex);
  queued* found = take();
  while (found == NULL && milliseconds > 0 && pthread_cond_timedwait(&arrived, &mutex, &until) != ETIMEDOUT)
  {
    found = take();
  }
  pthread_mutex_unlock(&mutex);
  return found ? &found->held : NULL;
}

void davfs_free_held(davfs_held* held)
{
  release(held->size);
  free(of_held(held));
}

int davfs_lost_held(void)
{
  pthread_mutex_lock(&mutex);
  int number = lost;
  lost = 0;
  pthread_mutex_unlock(&mutex);
  return number;
}
