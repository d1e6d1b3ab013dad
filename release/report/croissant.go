package report

import (
	"path"
	"strings"

	"olmo/page"

	"olmo/internal/pyjson"
)

// croissantContext is the vocabulary of Croissant 1.0, as every such file repeats it.
var croissantContext = object{
	"@language": "en", "@vocab": "https://schema.org/",
	"sc": "https://schema.org/", "cr": "http://mlcommons.org/croissant/", "rai": "http://mlcommons.org/croissant/RAI/", "dct": "http://purl.org/dc/terms/",
	"citeAs": "cr:citeAs", "column": "cr:column", "conformsTo": "dct:conformsTo",
	"data":               object{"@id": "cr:data", "@type": "@json"},
	"dataType":           object{"@id": "cr:dataType", "@type": "@vocab"},
	"equivalentProperty": "cr:equivalentProperty",
	"examples":           object{"@id": "cr:examples", "@type": "@json"},
	"extract":            "cr:extract", "field": "cr:field", "fileProperty": "cr:fileProperty", "fileObject": "cr:fileObject", "fileSet": "cr:fileSet",
	"format": "cr:format", "includes": "cr:includes", "isLiveDataset": "cr:isLiveDataset", "jsonPath": "cr:jsonPath", "key": "cr:key", "md5": "cr:md5",
	"parentField": "cr:parentField", "path": "cr:path", "recordSet": "cr:recordSet", "references": "cr:references", "regex": "cr:regex", "repeated": "cr:repeated",
	"replace": "cr:replace", "samplingRate": "cr:samplingRate", "separator": "cr:separator", "source": "cr:source", "subField": "cr:subField", "transform": "cr:transform",
}

// croissant describes the data set in Croissant 1.0: every file of documents and tokens with its SHA-256.
func (f *facts) croissant() ([]byte, error) {
	files := []object{}
	for _, folder := range []string{documentsFolder, tokensFolder, manifestFile} {
		for _, x := range f.below(folder) {
			files = append(files, object{
				"@type": "cr:FileObject", "@id": x.Path, "name": path.Base(x.Path), "contentUrl": "../" + x.Path, // from report/
				"contentSize": page.Grouped(x.Size) + " B", "encodingFormat": mediaType(x.Path), "sha256": x.SHA256.String(),
			})
		}
	}
	c := object{
		"@context": croissantContext, "@type": "sc:Dataset", "conformsTo": "http://mlcommons.org/croissant/1.0",
		"name": "training data of " + f.bomName(), "description": f.dataLead(), "version": "1.0.0", "distribution": files,
	}
	if address := said(f.about.Model, "url"); address != "" {
		c["url"] = address
	}
	if d := f.date(); d != "" {
		c["datePublished"] = d
	}
	var names []string
	for _, l := range f.data.Licenses {
		if l.Name == "" {
			continue
		}
		if known, ok := licenceOf(l.Name); ok {
			names = append(names, "https://spdx.org/licenses/"+known.id+".html")
		} else {
			names = append(names, l.Name)
		}
	}
	if len(names) > 0 {
		c["license"] = names
	}
	if name := said(f.about.Provider, "name"); name != "" {
		c["creator"] = object{"@type": "sc:Organization", "name": name}
	}
	return pyjson.Indented(c)
}

// dataLead describes the data in a sentence.
func (f *facts) dataLead() string {
	c := &f.data
	if !c.known {
		return "What " + f.bomName() + " was trained on."
	}
	text := "What " + f.bomName() + " was trained on: " + page.Grouped(c.Documents) + " documents, " + page.Grouped(c.Tokens) + " tokens"
	if c.texts {
		text += ", " + page.Grouped(c.Bytes) + " bytes of text"
	}
	return text + "."
}

// mediaType tells what a file of data is by its name.
func mediaType(name string) string {
	switch {
	case strings.HasSuffix(name, ".zst"):
		return "application/zstd"
	case strings.HasSuffix(name, ".gz"):
		return "application/gzip"
	case strings.HasSuffix(name, ".jsonl"):
		return "application/jsonlines"
	}
	return "application/octet-stream"
}
