/* The files that were read last, so that reading one again needs no Python.

   A path leads to an instance for as long as the catalog does not change (docs/adr/0003): Python remembers what it found,
   and forgets everything whenever anything changes. Whether the instance still exists, and its bytes, come from Orthanc
   each time; where it has none, Python looks again. */

#include "davfs.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY 16384 /* files, each in the one place that its path's hash gives */
#define SEED 14695981039346656037u

typedef struct
{
  uint64_t generation;
  char* path; /* segments joined by '/' */
  char id[48];
  char date[16];
} recent_file;

static recent_file files[CAPACITY];
static uint64_t generation = 1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Compares segments with a joined path. */
static int is_path(const char* joined, uint32_t depth, const char* const* path)
{
  for (uint32_t i = 0; i < depth; i++)
  {
    size_t length = strlen(path[i]);
    if (strncmp(joined, path[i], length) != 0 || joined[length] != (i + 1 < depth ? '/' : '\0'))
    {
      return 0;
    }
    joined += length + 1;
  }
  return depth > 0;
}

/* FNV-1a */
static uint64_t hash(uint64_t seed, const char* text)
{
  for (; *text != '\0'; text++)
  {
    seed = (seed ^ (unsigned char) *text) * 1099511628211u;
  }
  return seed;
}

static recent_file* place(uint32_t depth, const char* const* path)
{
  uint64_t hashed = SEED;
  for (uint32_t i = 0; i < depth; i++)
  {
    hashed = hash(i == 0 ? hashed : hash(hashed, "/"), path[i]);
  }
  return &files[hashed % CAPACITY];
}

uint64_t davfs_recent_generation(void)
{
  pthread_mutex_lock(&mutex);
  uint64_t now = generation;
  pthread_mutex_unlock(&mutex);
  return now;
}

void davfs_forget_recent(void)
{
  pthread_mutex_lock(&mutex);
  generation++;
  pthread_mutex_unlock(&mutex);
}

static void remember(recent_file* file, const char* folder, const char* name, const char* id, const char* date)
{
  size_t size = strlen(folder) + strlen(name) + 1;
  char* path = malloc(size);
  if (path != NULL)
  {
    snprintf(path, size, "%s%s", folder, name);
    free(file->path);
    file->path = path;
    file->generation = generation;
    snprintf(file->id, sizeof(file->id), "%s", id);
    snprintf(file->date, sizeof(file->date), "%s", date);
  }
}

void davfs_remember_recent(uint64_t since, const char* folder, const char* packed, size_t size)
{
  const char* end = packed + size;
  uint64_t seed = hash(SEED, folder);
  pthread_mutex_lock(&mutex);
  while (since == generation && packed < end)
  {
    const char* name = packed;
    const char* id = name + strlen(name) + 1;
    const char* date = id + strlen(id) + 1;
    remember(&files[hash(seed, name) % CAPACITY], folder, name, id, date);
    packed = date + strlen(date) + 1;
  }
  pthread_mutex_unlock(&mutex);
}

static int find(uint32_t depth, const char* const* path, char* id, char* date)
{
  recent_file* file = place(depth, path);
  pthread_mutex_lock(&mutex);
  int found = file->generation == generation && file->path != NULL && is_path(file->path, depth, path);
  if (found)
  {
    memcpy(id, file->id, sizeof(file->id));
    memcpy(date, file->date, sizeof(file->date));
  }
  pthread_mutex_unlock(&mutex);
  return found;
}

int davfs_send_recent(uint32_t depth, const char* const* path, OrthancPluginWebDavCollection* collection,
                      OrthancPluginWebDavRetrieveFile retrieve)
{
  char id[sizeof(files->id)], date[sizeof(files->date)];
  OrthancPluginMemoryBuffer file;
  if (!find(depth, path, id, date) || davfs_get_file(&file, id) != 0)
  {
    return -1;
  }
  davfs_request request = davfs_take_request();
  davfs_audit(request.user, "read", id, "done");
  OrthancPluginErrorCode code = davfs_send(collection, retrieve, file.data, file.size, "application/dicom", date);
  davfs_free(&file);
  return code;
}
