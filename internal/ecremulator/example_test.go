package ecremulator_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/proerror77/nova-staging/internal/ecremulator"
)

func Example() {
	clock := ecremulator.NewManualClock(time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC))
	s, err := ecremulator.New(ecremulator.WithClock(clock)).Serve()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	registry := ecremulator.Must(s.CreateRegistry("025434362120", "ap-northeast-1"))
	repository := ecremulator.Must(registry.CreateRepository("nova/auth-service"))
	ecremulator.Must(repository.Push(ecremulator.OCIImage("build 1"), "0b7d2f1"))
	clock.Advance(time.Hour)
	ecremulator.Must(repository.Push(ecremulator.OCIImage("build 2"), "5c81e09", "latest"))
	s.Inject(ecremulator.Fault{Kind: ecremulator.Throttle, Op: "DescribeImages", Times: 1})

	key := s.Credentials()
	client := ecr.New(ecr.Options{
		BaseEndpoint: aws.String(s.URL),
		Region:       registry.Region(),
		Credentials:  credentials.NewStaticCredentialsProvider(key.AccessKeyID, key.SecretAccessKey, ""),
	})
	out, err := client.DescribeImages(context.Background(), &ecr.DescribeImagesInput{RepositoryName: aws.String("nova/auth-service")})
	if err != nil {
		fmt.Println(err)
		return
	}
	newest := out.ImageDetails[0]
	for _, d := range out.ImageDetails {
		if d.ImagePushedAt.After(*newest.ImagePushedAt) {
			newest = d
		}
	}
	fmt.Println(newest.ImageTags, newest.ImagePushedAt)
	fmt.Println(s.Count("DescribeImages", ""), "calls")
	// Output:
	// [5c81e09 latest] 2026-03-04 06:00:00 +0000 UTC
	// 2 calls
}
