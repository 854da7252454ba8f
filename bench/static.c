/* A WebDAV plugin that shows the folders described in one file, which it reads when it starts. The time of its listings is the
   time that Orthanc's WebDAV engine and the network take for the same names.

   The file ("Static" : { "Tree" : … } in Orthanc's configuration) has for each folder: path NUL size NUL, and then so many
   bytes of entries, packed as davfs_add_entries() takes them (native/davfs.h). Paths are relative to the collection, their
   segments joined by '/'; the folders are sorted by path, byte by byte.

   It does not refuse a GET of the collection's root, which kills the core (native/request_filter.c): the benchmark is
   the only client, and lists what is below. */

#include "../native/davfs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URI "/davfs/drive" /* that of the drive, so that both answer with the same bytes */
#define LONGEST 4096

typedef struct
{
  const char* path;
  const char* entries;
  size_t size;
} static_folder;

static char* tree = NULL; /* all strings of `folders` point into it */
static static_folder* folders = NULL;
static size_t count = 0;

static int compare(const void* path, const void* folder)
{
  return strcmp(path, ((const static_folder*) folder)->path);
}

static const static_folder* find(uint32_t depth, const char* const* path)
{
  char joined[LONGEST];
  size_t length = 0;
  for (uint32_t i = 0; i < depth && length < sizeof(joined); i++)
  {
    length += (size_t) snprintf(joined + length, sizeof(joined) - length, i == 0 ? "%s" : "/%s", path[i]);
  }
  return depth == 0 || length >= sizeof(joined) ? NULL
                                                : bsearch(joined, folders, count, sizeof(static_folder), compare);
}

static OrthancPluginErrorCode is_folder(uint8_t* exists, uint32_t depth, const char* const* path, void* payload)
{
  *exists = depth == 0 || find(depth, path) != NULL;
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode list_folder(uint8_t* exists, OrthancPluginWebDavCollection* collection,
                                          OrthancPluginWebDavAddFile add_file, OrthancPluginWebDavAddFolder add_folder,
                                          uint32_t depth, const char* const* path, void* payload)
{
  const static_folder* folder = find(depth, path);
  davfs_request request = {.collection = collection, .add_file = add_file, .add_folder = add_folder};
  *exists = folder != NULL;
  if (folder != NULL)
  {
    davfs_add_entries(&request, folder->entries, folder->size);
  }
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode read_file(OrthancPluginWebDavCollection* collection,
                                        OrthancPluginWebDavRetrieveFile retrieve, uint32_t depth,
                                        const char* const* path, void* payload)
{
  return OrthancPluginErrorCode_Success; /* without a call of retrieve(): there is no such file */
}

static OrthancPluginErrorCode write_file(uint8_t* done, uint32_t depth, const char* const* path, const void* data,
                                         uint64_t size, void* payload)
{
  *done = 0;
  return OrthancPluginErrorCode_Success;
}

static OrthancPluginErrorCode refuse(uint8_t* done, uint32_t depth, const char* const* path, void* payload)
{
  *done = 0;
  return OrthancPluginErrorCode_Success;
}

/* Reads the whole file into `tree`, and returns its size; 0 if it cannot be read. */
static size_t read_tree(const char* path)
{
  FILE* file = fopen(path, "rb");
  size_t size = 0;
  if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (tree = malloc((size_t) ftell(file))) != NULL)
  {
    size = (size_t) ftell(file);
    rewind(file);
    size = fread(tree, 1, size, file) == size ? size : 0;
  }
  if (file != NULL)
  {
    fclose(file);
  }
  return size;
}

/* Finds the folders in `tree`. Returns 0, or -1 if there is no memory for them. */
static int index_tree(size_t size)
{
  for (const char *at = tree, *end = tree + size; at < end; count++)
  {
    static_folder* more = realloc(folders, (count + 1) * sizeof(static_folder));
    if (more == NULL)
    {
      return -1;
    }
    folders = more;
    folders[count].path = at;
    at += strlen(at) + 1;
    folders[count].size = strtoull(at, NULL, 10);
    folders[count].entries = at + strlen(at) + 1;
    at = folders[count].entries + folders[count].size;
  }
  return 0;
}

ORTHANC_PLUGINS_API int32_t OrthancPluginInitialize(OrthancPluginContext* given)
{
  char path[LONGEST];
  size_t size = 0;
  davfs_context = given;
  char* configuration = OrthancPluginGetConfiguration(davfs_context);
  if (davfs_json_string(configuration, "Static", "Tree", path, sizeof(path)) == 1)
  {
    size = read_tree(path);
  }
  OrthancPluginFreeString(davfs_context, configuration);
  if (size == 0 || index_tree(size) != 0)
  {
    OrthancPluginLogError(davfs_context, "Static.Tree must be the file of a tree");
    return -1;
  }
  return (int32_t) OrthancPluginRegisterWebDavCollection(davfs_context, URI, is_folder, list_folder, read_file, write_file,
                                                         refuse, refuse, NULL);
}

ORTHANC_PLUGINS_API void OrthancPluginFinalize(void)
{
  free(folders);
  free(tree);
  folders = NULL;
  tree = NULL;
  count = 0;
}

ORTHANC_PLUGINS_API const char* OrthancPluginGetName(void)
{
  return "static";
}

ORTHANC_PLUGINS_API const char* OrthancPluginGetVersion(void)
{
  return "1";
}
