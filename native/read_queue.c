/* The queue of the files that recent_files.c has sent without Python, for the audit trail.

   A request must not wait for Python's interpreter lock, for which it was spared Python. */

#include "davfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 8192 /* 3 MB; any more are counted and lost */
#define CROWDED (CAPACITY / 4)

static davfs_read* ring = NULL;
static size_t first = 0, count = 0;
static uint64_t lost = 0;
static int is_open = 0;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;

void davfs_open_reads(void)
{
  pthread_mutex_lock(&mutex);
  if (ring == NULL) /* a reset of Orthanc opens it again */
  {
    ring = calloc(CAPACITY, sizeof(*ring));
  }
  is_open = ring != NULL;
  pthread_mutex_unlock(&mutex);
}

void davfs_close_reads(void)
{
  pthread_mutex_lock(&mutex);
  is_open = 0;
  pthread_cond_broadcast(&arrived);
  pthread_mutex_unlock(&mutex);
}

static void set(davfs_read* read, const davfs_request* request, const char* instance, uint64_t size)
{
  read->time = (int64_t) time(NULL);
  read->size = size;
  strncpy(read->instance, instance, sizeof(read->instance) - 1);
  memcpy(read->user, request->user, sizeof(read->user));
  memcpy(read->address, request->address, sizeof(read->address));
  memcpy(read->agent, request->agent, sizeof(read->agent));
}

void davfs_add_read(const davfs_request* request, const char* instance, uint64_t size)
{
  pthread_mutex_lock(&mutex);
  if (is_open && count < CAPACITY)
  {
    set(&ring[(first + count++) % CAPACITY], request, instance, size);
    if (count == 1 || count == CROWDED)
    {
      pthread_cond_signal(&arrived);
    }
  }
  else
  {
    lost += is_open;
  }
  pthread_mutex_unlock(&mutex);
}

int davfs_take_reads(davfs_read* reads, int most, int milliseconds)
{
  struct timespec until = davfs_after(milliseconds);
  int taken = 0;
  pthread_mutex_lock(&mutex);
  while (count == 0 && is_open && pthread_cond_timedwait(&arrived, &mutex, &until) != ETIMEDOUT)
  {
  }
  for (; count > 0 && taken < most; count--)
  {
    reads[taken++] = ring[first];
    first = (first + 1) % CAPACITY;
  }
  pthread_mutex_unlock(&mutex);
  return taken;
}

uint64_t davfs_lost_reads(void)
{
  pthread_mutex_lock(&mutex);
  uint64_t number = lost;
  lost = 0;
  pthread_mutex_unlock(&mutex);
  return number;
}
