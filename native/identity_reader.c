/* Reads who the patient of an instance is that Orthanc is about to store.

   What the scanner does not read, Orthanc does: it formats the instance as JSON, as it has just done for its own filters. So
   text in other character sets is decoded exactly as it is for the index. Decoded text is cached, for all images of a study
   have the same. */

#include "davfs.h"

#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define CACHED 64

/* Text that Orthanc has decoded, by the bytes that it was decoded from. */
typedef struct
{
  char charset[64], patient[128], name[256];
  char decoded_patient[sizeof(((davfs_identity*) 0)->patient)];
  char decoded_name[sizeof(((davfs_identity*) 0)->name)];
} decoded;

static decoded cache[CACHED];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Makes the key of the cache. Returns its place, or NULL for text that is too long. */
static decoded* place(const davfs_fields* found, decoded* key)
{
  if (found->charset.length >= sizeof(key->charset) || found->patient.length >= sizeof(key->patient) ||
      found->name.length >= sizeof(key->name))
  {
    return NULL;
  }
  davfs_copy_field(key->charset, sizeof(key->charset), found->charset);
  davfs_copy_field(key->patient, sizeof(key->patient), found->patient);
  davfs_copy_field(key->name, sizeof(key->name), found->name);
  uint32_t hash = 2166136261u;
  const unsigned char* bytes = (const unsigned char*) key;
  for (size_t i = 0; i < offsetof(decoded, decoded_patient); i++)
  {
    hash = (hash ^ bytes[i]) * 16777619u;
  }
  return &cache[hash % CACHED];
}

static int is_cached(const decoded* key, const decoded* one)
{
  return one->patient[0] != '\0' && memcmp(key, one, offsetof(decoded, decoded_patient)) == 0;
}

/* Has Orthanc decode all. Returns 0, or -1 if there is no memory. */
static int ask(const OrthancPluginDicomInstance* instance, davfs_identity* identity)
{
  char patient[1024] = "", name[1024] = "", birth[64] = "", sex[64] = "";
  char* json = davfs_instance_json(instance);
  if (json == NULL)
  {
    return -1;
  }
  davfs_json_own_string(json, "PatientID", patient, sizeof(patient));
  davfs_json_own_string(json, "PatientName", name, sizeof(name));
  davfs_json_own_string(json, "PatientBirthDate", birth, sizeof(birth));
  davfs_json_own_string(json, "PatientSex", sex, sizeof(sex));
  davfs_make_identity(identity, patient, name, birth, sex);
  davfs_json_own_string(json, "StudyInstanceUID", identity->study, sizeof(identity->study));
  davfs_json_own_string(json, "SOPInstanceUID", identity->instance, sizeof(identity->instance));
  davfs_free_text(json);
  return 0;
}

/* Has Orthanc decode the text, unless it has done so. */
static int ask_once(const OrthancPluginDicomInstance* instance, const davfs_fields* found, davfs_identity* identity)
{
  decoded key = {.charset = ""};
  decoded* kept = place(found, &key);
  pthread_mutex_lock(&mutex);
  int known = kept != NULL && is_cached(&key, kept);
  key = known ? *kept : key;
  pthread_mutex_unlock(&mutex);
  if (known)
  {
    memcpy(identity->patient, key.decoded_patient, sizeof(identity->patient));
    memcpy(identity->name, key.decoded_name, sizeof(identity->name));
    return 0;
  }
  if (ask(instance, identity) != 0)
  {
    return -1;
  }
  memcpy(key.decoded_patient, identity->patient, sizeof(key.decoded_patient));
  memcpy(key.decoded_name, identity->name, sizeof(key.decoded_name));
  pthread_mutex_lock(&mutex);
  if (kept != NULL)
  {
    *kept = key;
  }
  pthread_mutex_unlock(&mutex);
  return 0;
}

int davfs_read_identity(const OrthancPluginDicomInstance* instance, davfs_identity* identity)
{
  size_t size;
  davfs_fields found;
  const void* file = davfs_instance_data(instance, &size);
  if (davfs_scan_file(file, size, &found) != 0)
  {
    return ask(instance, identity);
  }
  return davfs_decode_fields(&found, identity) == 0 ? 0 : ask_once(instance, &found, identity);
}
