// Write random trees of buckets with bbolt itself: SEED.db, and SEED.json with all that is in it.
package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"

	bolt "go.etcd.io/bbolt"
)

const maxDepth = 4

func main() {
	folder := os.Args[1]
	count, err := strconv.Atoi(os.Args[2])
	check(err)
	for seed := 0; seed < count; seed++ {
		write(filepath.Join(folder, strconv.Itoa(seed)), int64(seed))
	}
}

func write(path string, seed int64) {
	random := rand.New(rand.NewSource(seed))
	options := &bolt.Options{PageSize: 1024 << random.Intn(5), NoSync: true}
	db, err := bolt.Open(path+".db", 0o600, options)
	check(err)
	for transaction := 0; transaction < 1+random.Intn(6); transaction++ {
		check(db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("jobs"))
			check(err)
			change(bucket, random, 0)
			return nil
		}))
	}
	pairs := [][]string{}
	check(db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			return list(bucket, hex.EncodeToString(name), &pairs)
		})
	}))
	check(db.Close())
	content, err := json.Marshal(pairs)
	check(err)
	check(os.WriteFile(path+".json", content, 0o600))
}

func change(bucket *bolt.Bucket, random *rand.Rand, depth int) {
	for n := random.Intn(1 << random.Intn(9)); n > 0; n-- {
		key := []byte(fmt.Sprintf("k%d", random.Intn(400)))
		isBucket := bucket.Bucket(key) != nil
		switch {
		case random.Intn(4) == 0 && isBucket:
			check(bucket.DeleteBucket(key))
		case random.Intn(4) == 0 && !isBucket:
			check(bucket.Delete(key))
		case depth < maxDepth && random.Intn(8) == 0 && (isBucket || bucket.Get(key) == nil):
			below, err := bucket.CreateBucketIfNotExists(key)
			check(err)
			change(below, random, depth+1)
		case !isBucket:
			value := make([]byte, random.Intn(1<<random.Intn(16)))
			for i := range value {
				value[i] = key[i%len(key)] + byte(n)
			}
			check(bucket.Put(key, value))
		}
	}
}

func list(bucket *bolt.Bucket, path string, pairs *[][]string) error {
	return bucket.ForEach(func(key, value []byte) error {
		name := path + "/" + hex.EncodeToString(key)
		if value == nil {
			*pairs = append(*pairs, []string{name})
			return list(bucket.Bucket(key), name, pairs)
		}
		*pairs = append(*pairs, []string{name, hex.EncodeToString(value)})
		return nil
	})
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
