/* The listing of a folder, from the first callback of a PROPFIND to the second one.

   The core asks whether there is a folder, and then for what is in it, on one thread with nothing in between. Where the
   content is wanted too, Python lists it for the first callback; the second one is answered without Python. */

#include "davfs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  size_t size;   /* of the entries, as davfs_add_entries() takes them */
  size_t length; /* of the path behind them: each of its segments with its NUL */
  char bytes[];
} listing;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int has_key = 0;

static void make_key(void)
{
  has_key = pthread_key_create(&key, free) == 0;
}

static listing* kept(void)
{
  pthread_once(&once, make_key);
  return has_key ? pthread_getspecific(key) : NULL;
}

void davfs_drop_listing(void)
{
  listing* old = kept();
  if (old != NULL)
  {
    pthread_setspecific(key, NULL);
    free(old);
  }
}

void davfs_keep_listing(uint32_t depth, const char* const* path, const char* packed, size_t size)
{
  size_t length = 0;
  davfs_drop_listing();
  for (uint32_t i = 0; i < depth; i++)
  {
    length += strlen(path[i]) + 1;
  }
  listing* made = has_key ? malloc(sizeof(listing) + size + length) : NULL;
  if (made == NULL) /* Python will be asked once more */
  {
    return;
  }
  made->size = size;
  made->length = length;
  memcpy(made->bytes, packed, size);
  char* end = made->bytes + size;
  for (uint32_t i = 0; i < depth; i++)
  {
    end = stpcpy(end, path[i]) + 1;
  }
  if (pthread_setspecific(key, made) != 0)
  {
    free(made);
  }
}

static int is_of(const listing* each, uint32_t depth, const char* const* path)
{
  const char* segment = each->bytes + each->size;
  const char* end = segment + each->length;
  for (uint32_t i = 0; i < depth; i++)
  {
    if (segment == end || strcmp(segment, path[i]) != 0)
    {
      return 0;
    }
    segment += strlen(segment) + 1;
  }
  return segment == end;
}

int davfs_add_kept_listing(uint32_t depth, const char* const* path, OrthancPluginWebDavCollection* collection,
                           OrthancPluginWebDavAddFile add_file, OrthancPluginWebDavAddFolder add_folder)
{
  listing* found = kept();
  if (found == NULL || !is_of(found, depth, path))
  {
    davfs_drop_listing();
    return 0;
  }
  davfs_add_entries(collection, add_file, add_folder, found->bytes, found->size);
  davfs_drop_listing();
  return 1;
}
