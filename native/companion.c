/* Runs Python for Orthanc's HTTP threads on threads of our own, which have an ordinary stack (docs/adr/0001).

   Each HTTP thread has a companion: what is known of a thread by its identity, here and in Python, is known of its
   companion too. It is made with the first call, and ends with its HTTP thread. */

#include "davfs.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define STACK (8u << 20) /* as Linux gives a thread; only what is used takes memory */

typedef struct
{
  pthread_t thread;
  sem_t asked, answered;
  int (*function)(const void*); /* NULL: end */
  const void* argument;
  int code;
} companion;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int has_key = 0;

static void wait_for(sem_t* semaphore)
{
  while (sem_wait(semaphore) != 0 && errno == EINTR)
  {
  }
}

static void* serve(void* argument)
{
  companion* self = argument;
  prctl(PR_SET_NAME, "davfs-http");
  for (;;)
  {
    wait_for(&self->asked);
    if (self->function == NULL)
    {
      return NULL;
    }
    self->code = self->function(self->argument);
    sem_post(&self->answered);
  }
}

/* Called by pthread where a thread that has a companion ends. */
static void end(void* argument)
{
  companion* ended = argument;
  ended->function = NULL;
  sem_post(&ended->asked);
  pthread_join(ended->thread, NULL);
  sem_destroy(&ended->asked);
  sem_destroy(&ended->answered);
  free(ended);
}

static void make_key(void)
{
  has_key = pthread_key_create(&key, end) == 0;
}

static int start(companion* made)
{
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0)
  {
    return -1;
  }
  int failed = pthread_attr_setstacksize(&attributes, STACK) || pthread_create(&made->thread, &attributes, serve, made);
  pthread_attr_destroy(&attributes);
  return failed ? -1 : 0;
}

/* Returns the companion of this thread, NULL where there is no memory for one. */
static companion* find(void)
{
  pthread_once(&once, make_key);
  companion* found = has_key ? pthread_getspecific(key) : NULL;
  if (found != NULL || !has_key)
  {
    return found;
  }
  found = calloc(1, sizeof(*found));
  if (found == NULL)
  {
    return NULL;
  }
  sem_init(&found->asked, 0, 0);
  sem_init(&found->answered, 0, 0);
  if (start(found) != 0)
  {
    free(found);
    return NULL;
  }
  if (pthread_setspecific(key, found) != 0)
  {
    end(found);
    return NULL;
  }
  return found;
}

int davfs_on_companion(int (*function)(const void*), const void* argument)
{
  companion* found = find();
  if (found == NULL)
  {
    return OrthancPluginErrorCode_DatabaseUnavailable;
  }
  found->function = function;
  found->argument = argument;
  sem_post(&found->asked);
  wait_for(&found->answered);
  return found->code;
}
